import * as v from 'valibot';
import type { ResourceView, StatusReply } from '../locks.ts';
import type { Source } from '../sources.ts';
import {
  count,
  flag,
  holderToWire,
  milliseconds,
  nodeId,
  operationType,
  position,
  present,
  resourceId,
  sessionId,
  text,
  token,
  url,
} from './fields.ts';
import { peerSource, sourceToWire } from './sources.ts';

type HolderDetails = NonNullable<ResourceView['holder']>;
type QueueEntry = ResourceView['queue'][number];
type Copy = ResourceView['copies'][number];

/** One resource, as `GET /locks` lists it and `GET /lock/status` includes it. */
export function viewToWire(view: ResourceView) {
  const { lastError } = view;
  return {
    resource_id: view.resourceId,
    domain: view.domain,
    holder: view.holder ? holderDetailsToWire(view.holder) : null,
    queue: view.queue.map(queueEntryToWire),
    copies: view.copies.map(copyToWire),
    last_error: lastError
      ? { node_id: lastError.nodeId, message: lastError.message, age_ms: lastError.ageMs }
      : null,
  };
}

function holderDetailsToWire(details: HolderDetails) {
  const { type, token: held, heldMs, offset, total } = details;
  const source = details.source && sourceToWire(details.source);
  return { ...holderToWire(details), type, token: held, held_ms: heldMs, offset, total, source };
}

function queueEntryToWire(entry: QueueEntry) {
  const { type, position: place, waitingMs } = entry;
  return { ...holderToWire(entry), type, position: place, waiting_ms: waitingMs };
}

function copyToWire(copy: Copy) {
  return { ...holderToWire(copy), age_ms: copy.ageMs, url: copy.url };
}

const holderFields = { node_id: nodeId, session_id: v.nullish(sessionId) };

function holderOf(wire: v.InferOutput<v.ObjectSchema<typeof holderFields, undefined>>) {
  return present({ nodeId: wire.node_id, sessionId: wire.session_id });
}

const readFrom = v.union([
  v.pipe(
    v.object({ kind: v.literal('registry') }),
    v.transform((): Source => ({ kind: 'registry' })),
  ),
  peerSource,
]);

const holderDetails = v.pipe(
  v.object({
    ...holderFields,
    type: operationType,
    token,
    held_ms: milliseconds,
    offset: v.nullish(count, 0),
    total: v.nullish(count, 0),
    source: v.nullish(readFrom),
  }),
  v.transform((wire): HolderDetails => {
    const { type, token: held, held_ms: heldMs, offset, total, source } = wire;
    return { ...holderOf(wire), type, token: held, heldMs, offset, total, ...present({ source }) };
  }),
);

const queueEntry = v.pipe(
  v.object({ ...holderFields, type: operationType, position, waiting_ms: milliseconds }),
  v.transform(
    (wire): QueueEntry => ({
      ...holderOf(wire),
      type: wire.type,
      position: wire.position,
      waitingMs: wire.waiting_ms,
    }),
  ),
);

const copyEntry = v.pipe(
  v.object({ ...holderFields, age_ms: milliseconds, url: v.nullish(url) }),
  v.transform((wire): Copy => ({ ...holderOf(wire), ageMs: wire.age_ms, ...present({ url: wire.url }) })),
);

const lastError = v.pipe(
  v.object({ node_id: nodeId, message: text, age_ms: milliseconds }),
  v.transform((wire) => ({ nodeId: wire.node_id, message: wire.message, ageMs: wire.age_ms })),
);

const viewFields = {
  resource_id: resourceId,
  domain: v.nullish(text, 'default'),
  holder: v.nullish(holderDetails),
  queue: v.nullish(v.array(queueEntry), []),
  copies: v.nullish(v.array(copyEntry), []),
  last_error: v.nullish(lastError),
};

function viewOf(wire: v.InferOutput<v.ObjectSchema<typeof viewFields, undefined>>): ResourceView {
  const { resource_id, domain, queue, copies } = wire;
  const found = present({ holder: wire.holder, lastError: wire.last_error });
  return { resourceId: resource_id, domain, queue, copies, ...found };
}

/** Answer of `GET /lock/status`. Older clients stop when `error` is there. */
export function statusToWire(reply: StatusReply) {
  const { acquired, completed, success, error, view } = reply;
  return { acquired, completed, success, error, ...viewToWire(view) };
}

export const statusReplySchema = v.pipe(
  v.object({
    acquired: flag,
    completed: flag,
    success: v.nullish(flag, false),
    error: v.nullish(text),
    ...viewFields,
  }),
  v.transform((wire): StatusReply => {
    const { acquired, completed, success, error } = wire;
    return { acquired, completed, success, ...present({ error: error || undefined }), view: viewOf(wire) };
  }),
);

/** Answer of `GET /locks`. */
export function listToWire(views: readonly ResourceView[]) {
  return { locks: views.map(viewToWire) };
}

export const listReplySchema = v.pipe(
  v.object({ locks: v.array(v.pipe(v.object(viewFields), v.transform(viewOf))) }),
  v.transform((wire): readonly ResourceView[] => wire.locks),
);
