import type { ServerSentEvent } from '../../../http/sse.ts';
import type { ResourceEvent, SessionEvent } from '../../locks.ts';
import { resourceEventSchema, sessionEventFromWire } from '../../protocol/events.ts';
import { parse } from '../../protocol/parse.ts';
import type { Decoded } from './streams.ts';

/** Events of a name that this version does not know are ignored, and so is all that has none. */
export function decodeSessionEvent({ event, data }: ServerSentEvent): Decoded<SessionEvent> {
  if (event === 'closed') return 'end';
  return sessionEventFromWire(event ?? '', jsonOf(data)) ?? 'ignored';
}

export function decodeResourceEvent({ event, data }: ServerSentEvent): Decoded<ResourceEvent> {
  return event === undefined ? parse(resourceEventSchema, jsonOf(data)) : 'ignored';
}

/** Text that is not JSON becomes undefined, which no schema accepts. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
