import * as v from 'valibot';
import { isDigest } from '../../../../core/digest.ts';
import { toNodeId, toRequestId, toSessionId, toStoreId, toToken } from '../../../../core/ids.ts';
import { type ClusterCommand, toSeatId } from './cluster.ts';

const text = v.string();
const number = v.number();
const nodeId = v.pipe(text, v.transform(toNodeId));
const sessionId = v.pipe(text, v.transform(toSessionId));
const token = v.pipe(number, v.safeInteger(), v.transform(toToken));
const digest = v.pipe(text, v.guard(isDigest));
const type = v.picklist(['pull', 'update', 'delete']);

const resourceFields = { type, resourceId: digest, nodeId, sessionId: v.exactOptional(sessionId) };
const declineFields = { ...resourceFields, token: v.exactOptional(token) };

const outcome = v.variant('success', [
  v.object({ success: v.literal(true) }),
  v.object({ success: v.literal(false), error: text, class: v.picklist(['node', 'content']) }),
]);

const openSession = v.object({
  sessionId,
  nodeId,
  url: v.exactOptional(text),
  storeId: v.exactOptional(v.pipe(text, v.transform(toStoreId))),
  zone: v.exactOptional(text),
});

const heartbeat = v.object({
  held: v.array(v.object({ type, resourceId: digest, token, offset: number, total: number })),
  announce: v.exactOptional(v.object({ add: v.array(digest), remove: v.array(digest) })),
  draining: v.exactOptional(v.boolean()),
});

const acquireRequest = v.object({
  ...resourceFields,
  requestId: v.exactOptional(v.pipe(text, v.transform(toRequestId))),
  force: v.exactOptional(v.boolean()),
  position: v.exactOptional(number),
});

const bad = v.object({ sessionId, reason: text, wrongBytes: v.exactOptional(v.boolean()) });
const sourceRequest = v.object({
  ...{ sessionId, resourceId: digest, token, offset: number },
  bad: v.exactOptional(bad),
  restarts: v.exactOptional(number),
});

const ofSession = { sessionId };
const ofResource = { resourceId: digest };

/** One command as it is in the log. What it means was checked when a client asked for it: here its types are. */
export const commandSchema: v.GenericSchema<unknown, ClusterCommand> = v.variant('kind', [
  v.object({ kind: v.literal('open-session'), request: openSession, isReturning: v.boolean() }),
  v.object({ kind: v.literal('close-session'), ...ofSession }),
  v.object({ kind: v.literal('renew'), ...ofSession, heartbeat }),
  v.object({ kind: v.literal('stream-opened'), ...ofSession }),
  v.object({ kind: v.literal('stream-closed'), ...ofSession }),
  v.object({ kind: v.literal('node-gone'), nodeId }),
  v.object({ kind: v.literal('listener-opened'), ...ofResource }),
  v.object({ kind: v.literal('listener-closed'), ...ofResource }),
  v.object({ kind: v.literal('acquire'), request: acquireRequest }),
  v.object({ kind: v.literal('release'), request: v.object({ ...declineFields, outcome }) }),
  v.object({ kind: v.literal('decline'), request: v.object(declineFields) }),
  v.object({ kind: v.literal('sources'), request: sourceRequest }),
  v.object({ kind: v.literal('status'), request: v.object(resourceFields) }),
  v.object({ kind: v.literal('seat-gone'), seat: v.pipe(text, v.transform(toSeatId)) }),
  v.object({ kind: v.literal('session-quiet'), ...ofSession, silentMs: v.number() }),
]);
