import * as v from 'valibot';
import type { SessionId } from '../../core/ids.ts';
import type {
  AcquireRequest,
  DeclineRequest,
  Heartbeat,
  ListQuery,
  OpenSession,
  OperationType,
  Outcome,
  ReleaseRequest,
  ResourceRequest,
} from '../locks.ts';
import {
  count,
  flag,
  maxErrorLength,
  nodeId,
  operationType,
  position,
  present,
  requestId,
  resourceId,
  sessionId,
  storeId,
  text,
  token,
  url,
  zone,
} from './fields.ts';
import { announcement } from './sources.ts';

const maxHeld = 1_000;
const maxListed = 10_000;

const resourceFields = {
  type: operationType,
  resource_id: resourceId,
  node_id: nodeId,
  session_id: v.nullish(sessionId),
};

type ResourceFields = v.InferOutput<v.ObjectSchema<typeof resourceFields, undefined>>;

function resourceRequest(wire: ResourceFields): ResourceRequest {
  return present({
    type: wire.type,
    resourceId: wire.resource_id,
    nodeId: wire.node_id,
    sessionId: wire.session_id,
  });
}

function resourceToWire(request: ResourceRequest) {
  return {
    type: request.type,
    resource_id: request.resourceId,
    node_id: request.nodeId,
    session_id: request.sessionId,
  };
}

const anObject = 'must be a JSON object';

/** Body of `POST /lock`. */
export const acquireSchema = v.pipe(
  v.object(
    {
      ...resourceFields,
      request_id: v.nullish(requestId),
      force: v.nullish(flag),
      position: v.nullish(position),
    },
    anObject,
  ),
  v.transform(
    (wire): AcquireRequest => ({
      ...resourceRequest(wire),
      ...present({ requestId: wire.request_id, force: wire.force, position: wire.position }),
    }),
  ),
);

export function acquireToWire(request: AcquireRequest) {
  const { requestId: request_id, force, position: place } = request;
  return { ...resourceToWire(request), request_id, force, position: place };
}

export type UnlockRequest =
  | ({ readonly kind: 'release' } & ReleaseRequest)
  | ({ readonly kind: 'decline' } & DeclineRequest);

/** Body of `POST /unlock`: ends a hold, or with `decline: true` gives a grant back without an error. */
export const unlockSchema = v.pipe(
  v.object(
    {
      ...resourceFields,
      token: v.nullish(token),
      success: v.nullish(flag),
      error: v.nullish(text),
      class: v.nullish(v.picklist(['node', 'content'], 'must be "node" or "content"')),
      decline: v.nullish(flag),
    },
    anObject,
  ),
  v.transform((wire): UnlockRequest => {
    const common = { ...resourceRequest(wire), ...present({ token: wire.token }) };
    if (wire.decline) return { kind: 'decline', ...common };
    return { kind: 'release', ...common, outcome: outcomeOf(wire.success, wire.error, wire.class) };
  }),
);

/** Older clients may leave `success` out, or null: then it means that there is no error. */
function outcomeOf(
  success: boolean | null | undefined,
  error: string | null | undefined,
  failureClass: 'node' | 'content' | null | undefined,
): Outcome {
  if (success ?? !error) return { success: true };
  const message = error?.slice(0, maxErrorLength) || 'no reason given';
  return { success: false, error: message, class: failureClass ?? 'node' };
}

export function releaseToWire(request: ReleaseRequest) {
  const { outcome } = request;
  const failure = outcome.success
    ? { success: true, error: '' }
    : { success: false, error: outcome.error.slice(0, maxErrorLength), class: outcome.class };
  return { ...resourceToWire(request), token: request.token, ...failure };
}

export function declineToWire(request: DeclineRequest) {
  return { ...resourceToWire(request), token: request.token, decline: true };
}

/** Query, or JSON body, of `GET /lock/status`. */
export const statusSchema = v.pipe(v.object(resourceFields, anObject), v.transform(resourceRequest));

export function statusToQuery(request: ResourceRequest): URLSearchParams {
  return new URLSearchParams(present(resourceToWire(request)));
}

export type SubscribeRequest =
  | { readonly kind: 'session'; readonly sessionId: SessionId }
  | {
      readonly kind: 'resource';
      readonly type: OperationType;
      readonly resourceId: ResourceRequest['resourceId'];
    };

const subscribeSession = v.pipe(
  v.object({ session: sessionId }),
  v.transform((wire): SubscribeRequest => ({ kind: 'session', sessionId: wire.session })),
);

const subscribeResource = v.pipe(
  v.object({ type: operationType, resource_id: resourceId }),
  v.transform(
    (wire): SubscribeRequest => ({ kind: 'resource', type: wire.type, resourceId: wire.resource_id }),
  ),
);

/** Query of `GET /lock/subscribe`: `session`, or `type` and `resource_id`. */
export const subscribeSchema = v.lazy((query) =>
  typeof query === 'object' && query !== null && 'session' in query ? subscribeSession : subscribeResource,
);

/** Body of `POST /sessions`. */
export const openSessionSchema = v.pipe(
  v.object(
    {
      session_id: v.nullish(sessionId),
      node_id: nodeId,
      url: v.nullish(url),
      store_id: v.nullish(storeId),
      zone: v.nullish(zone),
    },
    anObject,
  ),
  v.transform(
    (wire): OpenSession =>
      present({
        sessionId: wire.session_id,
        nodeId: wire.node_id,
        url: wire.url,
        storeId: wire.store_id,
        zone: wire.zone,
      }),
  ),
);

export function openSessionToWire(request: OpenSession) {
  return {
    session_id: request.sessionId,
    node_id: request.nodeId,
    url: request.url,
    store_id: request.storeId,
    zone: request.zone,
  };
}

/** The name in the path `/sessions/ID`. */
export const sessionPathSchema = v.object({ id: sessionId });

const held = v.pipe(
  v.object(
    {
      type: v.nullish(operationType, 'pull'),
      resource_id: resourceId,
      token,
      offset: v.nullish(count, 0),
      total: v.nullish(count, 0),
    },
    'must be an object',
  ),
  v.transform(({ resource_id, ...wire }) => ({ ...wire, resourceId: resource_id })),
);

/** Body of `PUT /sessions/ID`. */
export const heartbeatSchema = v.pipe(
  v.object(
    {
      held: v.nullish(
        v.pipe(
          v.array(held, 'must be a list'),
          v.maxLength(maxHeld, `must not have more than ${maxHeld} entries`),
        ),
        [],
      ),
      announce: v.nullish(announcement),
      draining: v.nullish(flag),
    },
    anObject,
  ),
  v.transform((wire): Heartbeat => present(wire)),
);

export function heartbeatToWire(heartbeat: Heartbeat) {
  return {
    held: heartbeat.held.map(({ resourceId: resource_id, ...rest }) => ({ ...rest, resource_id })),
    announce: heartbeat.announce,
    draining: heartbeat.draining,
  };
}

/** Query of `GET /locks`. */
export const listSchema = v.pipe(
  v.object({
    prefix: v.nullish(
      v.pipe(text, v.regex(/^([a-z0-9]{0,10}:)?[0-9a-f]{0,128}$/, 'must be the beginning of a digest')),
    ),
    limit: v.nullish(
      v.pipe(
        text,
        v.regex(/^[1-9]\d{0,4}$/, `must be a whole number from 1 to ${maxListed}`),
        v.transform(Number),
        v.maxValue(maxListed, `must be a whole number from 1 to ${maxListed}`),
      ),
    ),
  }),
  v.transform((wire): ListQuery => present({ prefix: wire.prefix || undefined, limit: wire.limit })),
);

export function listToQuery(query: ListQuery): URLSearchParams {
  const limit = query.limit === undefined ? undefined : String(query.limit);
  return new URLSearchParams(present({ prefix: query.prefix, limit }));
}
