import * as v from 'valibot';
import { isDigest } from '../../../core/digest.ts';
import { toNodeId, toRequestId, toSessionId, toStoreId, toToken } from '../../../core/ids.ts';

/**
 * What is on disk, format 1: one record per key, values as JSON.
 *
 * | key | value |
 * |---|---|
 * | `["meta"]` | format, and the token below which all may have been given out |
 * | `["session", id]` | an open session: what it said of its node |
 * | `["lock", number]` | one resource in one domain: its holder, and what is remembered of earlier ones |
 * | `["waiter", number of the lock, arrival]` | one place; places of a lock are in order of arrival |
 * | `["spent", token, number of the lock]` | how a hold ended, for releases that come twice; by token, so that they are written side by side |
 * | `["farewell", number of the lock, who]` | why somebody's place is gone, until they ask again |
 *
 * Times are milliseconds of the service's own time, which goes on where it stopped (`stored-time.ts`).
 */
export type RecordKey =
  | readonly ['meta']
  | readonly ['session', string]
  | readonly ['lock', number]
  | readonly ['waiter', number, number]
  | readonly ['spent', number, number]
  | readonly ['farewell', number, string];

/** Everything that is written is of this format; a newer one is not read. */
export const format = 1;

const text = v.string();
const whole = v.pipe(v.number(), v.safeInteger());
const time = v.number();
const token = v.pipe(whole, v.transform(toToken));
const nodeId = v.pipe(text, v.transform(toNodeId));
const sessionId = v.pipe(text, v.transform(toSessionId));
const type = v.picklist(['pull', 'update', 'delete']);
const digest = v.pipe(text, v.guard(isDigest));

export const metaSchema = v.object({ format: whole, nextToken: token });

export const sessionSchema = v.object({
  sessionId: v.exactOptional(sessionId),
  nodeId,
  url: v.exactOptional(text),
  storeId: v.exactOptional(v.pipe(text, v.transform(toStoreId))),
  zone: v.exactOptional(text),
});

const claimantFields = {
  identity: text,
  nodeId,
  sessionId: v.exactOptional(sessionId),
  type,
  requestId: v.exactOptional(v.pipe(text, v.transform(toRequestId))),
};

const by = v.object({ nodeId, sessionId: v.exactOptional(sessionId) });
const ending = v.object({ success: v.boolean(), error: text, by, atMs: time });

const hold = v.object({
  ...claimantFields,
  token,
  sinceMs: time,
  isClaimed: v.boolean(),
  offset: whole,
  total: whole,
});

export const spentSchema = v.object({
  identity: text,
  type,
  end: v.picklist(['success', 'failure', 'declined', 'lost']),
  atMs: time,
});

export const lockSchema = v.object({
  domain: text,
  resourceId: digest,
  holder: v.exactOptional(hold),
  endings: v.array(v.tuple([type, ending])),
  pullDone: v.exactOptional(ending),
  lastFailure: v.exactOptional(ending),
  contentFailure: v.exactOptional(ending),
  /** Absent: requests are not refused. */
  refusedUntilMs: v.exactOptional(time),
  lastToken: token,
});

export const waiterSchema = v.object({
  ...claimantFields,
  sinceMs: time,
  /** The position told before the server lost its data; absent for all others, who come after. */
  rank: v.exactOptional(whole),
});

export const farewellSchema = v.object({
  who: v.object(claimantFields),
  why: v.variant('kind', [
    v.object({ kind: v.literal('done'), by }),
    v.object({ kind: v.literal('failed'), error: text }),
    v.object({ kind: v.literal('lapsed') }),
  ]),
});

export type MetaRecord = v.InferInput<typeof metaSchema>;
export type SessionRecord = v.InferInput<typeof sessionSchema>;
export type LockRecord = v.InferInput<typeof lockSchema>;
export type WaiterRecord = v.InferInput<typeof waiterSchema>;
export type SpentRecord = v.InferInput<typeof spentSchema>;
export type FarewellRecord = v.InferInput<typeof farewellSchema>;
