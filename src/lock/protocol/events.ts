import * as v from 'valibot';
import type { GrantView, PlaceView, ResourceEvent, SessionEvent, SessionSnapshot } from '../locks.ts';
import {
  count,
  flag,
  holder,
  nodeId,
  operationType,
  optionalHolderToWire,
  position,
  present,
  resourceId,
  text,
  token,
} from './fields.ts';
import type { Parsed, Schema } from './parse.ts';
import { parse } from './parse.ts';
import { source, sourceToWire } from './sources.ts';

function grantToWire(grant: GrantView) {
  const { type, resourceId: resource_id, token: granted, waiters } = grant;
  return { type, resource_id, token: granted, waiters };
}

function placeToWire(place: PlaceView) {
  const { type, resourceId: resource_id, position: at, progress } = place;
  return { type, resource_id, position: at, holder: optionalHolderToWire(place.holder), ...progress };
}

/** Answer of `PUT /sessions/ID`, and data of the event `snapshot`. */
export function snapshotToWire(snapshot: SessionSnapshot) {
  const { granted, queued, children = 0 } = snapshot;
  return { granted: granted.map(grantToWire), queued: queued.map(placeToWire), children };
}

/** The data of a session event; its name is the event's `kind`. */
export function sessionEventToWire(event: SessionEvent): object {
  switch (event.kind) {
    case 'snapshot':
      return snapshotToWire(event);
    case 'granted':
      return grantToWire(event);
    case 'queued':
      return placeToWire(event);
    case 'completed':
      return { type: event.type, resource_id: event.resourceId, by: optionalHolderToWire(event.by) };
    case 'failed':
      return { type: event.type, resource_id: event.resourceId, error: event.error };
    case 'revoked': {
      const { type, resourceId: resource_id, token: lost, reason } = event;
      return { type, resource_id, token: lost, reason };
    }
    case 'source': {
      const { type, resourceId: resource_id, token: held } = event;
      return { type, resource_id, token: held, source: sourceToWire(event.source) };
    }
    case 'ping':
      return {};
  }
}

const resourceFields = { type: operationType, resource_id: resourceId };

const grant = v.pipe(
  v.object({ ...resourceFields, token, waiters: v.nullish(count, 0) }),
  v.transform(({ resource_id, ...rest }): GrantView => ({ resourceId: resource_id, ...rest })),
);

const place = v.pipe(
  v.object({
    ...{ ...resourceFields, position, holder: v.nullish(holder) },
    ...{ offset: v.nullish(count), total: v.nullish(count) },
  }),
  v.transform(({ type, resource_id, position: at, holder: owner, offset, total }): PlaceView => {
    const progress = offset == null || total == null ? undefined : { offset, total };
    return { type, resourceId: resource_id, position: at, ...present({ holder: owner, progress }) };
  }),
);

export const snapshotSchema = v.pipe(
  v.object({ granted: v.array(grant), queued: v.array(place), children: v.nullish(count) }),
  v.transform(({ children, ...lists }): SessionSnapshot => ({ ...lists, ...(children ? { children } : {}) })),
);

const completed = v.pipe(
  v.object({ ...resourceFields, by: v.nullish(holder) }),
  v.transform(({ type, resource_id, by }): SessionEvent => {
    return { kind: 'completed', type, resourceId: resource_id, ...present({ by }) };
  }),
);

const failed = v.pipe(
  v.object({ ...resourceFields, error: v.nullish(text, '') }),
  v.transform(({ type, resource_id, error }): SessionEvent => {
    return { kind: 'failed', type, resourceId: resource_id, error };
  }),
);

const revoked = v.pipe(
  v.object({ ...resourceFields, token, reason: v.nullish(text, '') }),
  v.transform(({ type, resource_id, token: lost, reason }): SessionEvent => {
    return { kind: 'revoked', type, resourceId: resource_id, token: lost, reason };
  }),
);

const moved = v.pipe(
  v.object({ ...resourceFields, token, source }),
  v.transform(({ type, resource_id, token: held, source: named }): SessionEvent => {
    return { kind: 'source', type, resourceId: resource_id, token: held, source: named };
  }),
);

const sessionEvents: ReadonlyMap<string, Schema<SessionEvent>> = new Map<string, Schema<SessionEvent>>([
  [
    'snapshot',
    v.pipe(
      snapshotSchema,
      v.transform((wire): SessionEvent => ({ kind: 'snapshot', ...wire })),
    ),
  ],
  [
    'granted',
    v.pipe(
      grant,
      v.transform((wire): SessionEvent => ({ kind: 'granted', ...wire })),
    ),
  ],
  [
    'queued',
    v.pipe(
      place,
      v.transform((wire): SessionEvent => ({ kind: 'queued', ...wire })),
    ),
  ],
  ['completed', completed],
  ['failed', failed],
  ['revoked', revoked],
  ['source', moved],
  [
    'ping',
    v.pipe(
      v.unknown(),
      v.transform((): SessionEvent => ({ kind: 'ping' })),
    ),
  ],
]);

/** A session event by its name. An event of a name that this version does not know is undefined: skip it. */
export function sessionEventFromWire(name: string, data: unknown): Parsed<SessionEvent> | undefined {
  const schema = sessionEvents.get(name);
  return schema && parse(schema, data);
}

/** The data of an unnamed event, for older clients that listen to one resource. */
export function resourceEventToWire(event: ResourceEvent) {
  const { completedAtMs } = event;
  return {
    type: event.type,
    resource_id: event.resourceId,
    node_id: event.nodeId,
    success: event.success,
    error: event.error,
    completed_at: completedAtMs === undefined ? null : new Date(completedAtMs).toISOString(),
  };
}

export const resourceEventSchema = v.pipe(
  v.object({
    ...resourceFields,
    // Empty while nobody ever held the resource.
    node_id: v.union([nodeId, v.literal('')]),
    success: flag,
    error: v.nullish(text, ''),
    completed_at: v.nullish(v.pipe(text, v.isoTimestamp('must be a time as in RFC 3339'))),
  }),
  v.transform((wire): ResourceEvent => {
    const { type, resource_id, node_id, success, error, completed_at } = wire;
    const completedAtMs = completed_at ? Date.parse(completed_at) : undefined;
    return {
      type,
      resourceId: resource_id,
      nodeId: node_id as ResourceEvent['nodeId'],
      success,
      error,
      ...present({ completedAtMs }),
    };
  }),
);
