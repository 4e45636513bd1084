import type { Clock } from '../../../core/clock.ts';
import type { Digest } from '../../../core/digest.ts';
import type { Log } from '../../../core/log.ts';
import type { ResourceEvent } from '../../locks.ts';
import type { MachineEvent, ResourceNews } from '../../machine/events.ts';
import type { MachineState } from '../../machine/state.ts';
import type { NodeRegistry } from '../../node-registry.ts';
import { placesAt } from '../../read-model.ts';
import { type LogEvent, logEvent } from './log.ts';
import type { Watchers } from './watchers.ts';

export type Observe = (event: LogEvent) => void;

export interface TellerParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly state: MachineState;
  readonly watchers: Watchers;
  readonly nodes: NodeRegistry;
  /** Hears of everything that happens to locks. */
  readonly observe?: Observe;
}

/** Hands the machine's events to those whom they concern. */
export interface Teller {
  tell(event: MachineEvent): void;
  /** Tells the places of all queues that changed since it was called last. */
  tellMoves(): void;
  /** As older clients are told it. */
  withWallTime(news: ResourceNews): ResourceEvent;
}

export function createTeller({ clock, log, state, watchers, nodes, observe }: TellerParts): Teller {
  const moved = new Map<string, { readonly domain: string; readonly resourceId: Digest }>();

  const withWallTime = ({ event, endedMs }: ResourceNews): ResourceEvent => {
    if (endedMs === undefined) return event;
    const ageMs = clock.now() - endedMs;
    return { ...event, completedAtMs: Math.round(clock.wallNow() - ageMs) };
  };

  const tell = (event: MachineEvent): void => {
    switch (event.kind) {
      case 'session':
        watchers.tellSession(event.sessionId, event.event);
        break;
      case 'session-ended':
        nodes.ended(event.sessionId);
        watchers.endSession(event.sessionId);
        break;
      case 'resource':
        watchers.tellResource(withWallTime(event));
        break;
      case 'moved':
        moved.set(`${event.domain}\n${event.resourceId}`, event);
        break;
      case 'log':
        logEvent(log, event);
        observe?.(event);
        break;
    }
  };

  const tellMoves = (): void => {
    for (const { domain, resourceId } of moved.values()) {
      for (const { sessionId, place } of placesAt(state, domain, resourceId)) {
        watchers.tellSession(sessionId, { kind: 'queued', ...place });
      }
    }
    moved.clear();
  };

  return { tell, tellMoves, withWallTime };
}
