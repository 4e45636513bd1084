import type { Log } from '../../../core/log.ts';
import type { MachineEvent } from '../../machine/events.ts';

export type LogEvent = Extract<MachineEvent, { kind: 'log' }>;

const messages: Record<LogEvent['what'], string> = {
  granted: 'lock granted',
  queued: 'lock queued',
  skipped: 'lock skipped: done already',
  released: 'lock released',
  declined: 'lock declined',
  reclaimed: 'lock reclaimed',
  refused: 'lock refused',
  moved: 'lock moved with its session to another store',
  overfull: 'copies not kept track of',
};

/** Writes what happened to a lock as one structured line; reclaims are what people look for. */
export function logEvent(log: Log, event: LogEvent): void {
  const { kind: _, what, who, resourceId, heldMs, waitedMs, ...fields } = event;
  const line = {
    event: what,
    resource: resourceId,
    node: who.nodeId,
    ...(who.sessionId === undefined ? {} : { session: who.sessionId }),
    ...fields,
    ...(heldMs === undefined ? {} : { heldMs: Math.round(heldMs) }),
    ...(waitedMs === undefined ? {} : { waitedMs: Math.round(waitedMs) }),
  };
  if (what === 'reclaimed' || what === 'refused' || what === 'overfull') log.warn(line, messages[what]);
  else log.info(line, messages[what]);
}
