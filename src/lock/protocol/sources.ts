import * as v from 'valibot';
import type { Announcement, Source, SourceReply, SourceRequest } from '../sources.ts';
import {
  count,
  flag,
  maxErrorLength,
  milliseconds,
  nodeId,
  present,
  resourceId,
  sessionId,
  text,
  token,
  url,
} from './fields.ts';
import type { WireReply } from './wire-reply.ts';

/** Digests in one announcement. */
export const maxAnnounced = 10_000;

export function sourceToWire(source: Source) {
  if (source.kind === 'registry') return { kind: 'registry' };
  const { url: base, sessionId: session_id, nodeId: node_id, complete } = source;
  return { kind: 'peer', url: base, session_id, node_id, complete };
}

/** A source that is a peer. */
export const peerSource = v.pipe(
  v.object({ kind: v.literal('peer'), url, session_id: sessionId, node_id: nodeId, complete: flag }),
  v.transform(
    (wire): Source => ({
      kind: 'peer',
      url: wire.url,
      sessionId: wire.session_id,
      nodeId: wire.node_id,
      complete: wire.complete,
    }),
  ),
);

/** A source that this version cannot use is replaced by the one that always works. */
export const source = v.pipe(
  v.looseObject({ kind: text }, 'must be an object'),
  v.transform((wire): Source => {
    const known = v.safeParse(peerSource, wire);
    return known.success ? known.output : { kind: 'registry' };
  }),
);

/** Body of `POST /sources`. */
export const sourceRequestSchema = v.pipe(
  v.object(
    {
      session_id: sessionId,
      resource_id: resourceId,
      token,
      offset: count,
      bad: v.nullish(
        v.pipe(
          v.object(
            { session_id: sessionId, reason: v.nullish(text, ''), wrong_bytes: v.nullish(flag, false) },
            'must be an object',
          ),
          v.transform((wire) => ({
            sessionId: wire.session_id,
            reason: wire.reason.slice(0, maxErrorLength) || 'no reason given',
            ...(wire.wrong_bytes ? { wrongBytes: true } : {}),
          })),
        ),
      ),
      restarts: v.nullish(count),
    },
    'must be a JSON object',
  ),
  v.transform(
    (wire): SourceRequest => ({
      sessionId: wire.session_id,
      resourceId: wire.resource_id,
      token: wire.token,
      offset: wire.offset,
      ...present({ bad: wire.bad, restarts: wire.restarts }),
    }),
  ),
);

export function sourceRequestToWire({ sessionId, resourceId, token: held, offset, ...more }: SourceRequest) {
  const { bad, restarts } = more;
  return {
    session_id: sessionId,
    resource_id: resourceId,
    token: held,
    offset,
    bad: bad && {
      session_id: bad.sessionId,
      reason: bad.reason.slice(0, maxErrorLength),
      wrong_bytes: bad.wrongBytes || undefined,
    },
    restarts: restarts || undefined,
  };
}

/** The code of the refusal that `Locks.sources` answers as a reply. */
const notHolder = 'not_holder';

/** Answer of `POST /sources`. */
export function sourceReplyToWire(reply: SourceReply): WireReply {
  switch (reply.kind) {
    case 'source':
      return { status: 200, body: { source: sourceToWire(reply.source) } };
    case 'wait':
      return { status: 200, body: { retry_ms: reply.retryMs } };
    case 'not-holder':
      return { status: 403, body: { error: 'forbidden', message: reply.message, code: notHolder } };
  }
}

/** Where there is a source it counts, and there must be one or the other. */
export const sourceReplySchema = v.pipe(
  v.object({ source: v.nullish(source), retry_ms: v.nullish(milliseconds) }, 'must be a JSON object'),
  v.rawTransform(({ dataset, addIssue, NEVER }): SourceReply => {
    const { source: named, retry_ms } = dataset.value;
    if (named) return { kind: 'source', source: named };
    if (typeof retry_ms === 'number') return { kind: 'wait', retryMs: retry_ms };
    addIssue({ message: 'has no source' });
    return NEVER;
  }),
);

export const notHolderSchema = v.pipe(
  v.object({ code: v.literal(notHolder), message: text }),
  v.transform((wire): SourceReply => ({ kind: 'not-holder', message: wire.message })),
);

const digests = v.nullish(
  v.pipe(
    v.array(resourceId, 'must be a list'),
    v.maxLength(maxAnnounced, `must not have more than ${maxAnnounced} entries`),
  ),
  [],
);

/** The field `announce` of a heartbeat. */
export const announcement = v.pipe(
  v.object({ add: digests, remove: digests }, 'must be an object'),
  v.check(
    ({ add, remove }) => add.length + remove.length <= maxAnnounced,
    `must not name more than ${maxAnnounced} digests`,
  ),
  v.transform((wire): Announcement => wire),
);
