import * as v from 'valibot';
import type { Digest } from '../../src/core/digest.ts';
import type { ResourceView } from '../../src/lock/locks.ts';
import { nodesReplySchema } from '../../src/lock/protocol/nodes.ts';
import { listReplySchema } from '../../src/lock/protocol/views.ts';

export interface RawReply {
  readonly status: number;
  readonly body: unknown;
}

/** One request to a lock server, as a program in any language would send it. */
export async function sendRaw(url: string, method: string, path: string, body?: object): Promise<RawReply> {
  const response = await fetch(new URL(path, url), {
    method,
    ...(body ? { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } } : {}),
  });
  return { status: response.status, body: await response.json() };
}

/** How the server sees one resource; undefined where it never heard of it. */
export async function lockView(url: string, resource: Digest): Promise<ResourceView | undefined> {
  const { body } = await sendRaw(url, 'GET', `/locks?prefix=${resource}`);
  return v.parse(listReplySchema, body)[0];
}

/** Holder and waiters by node, in order; '' stands for a holder where some wait and nobody holds. */
export async function lineUp(url: string, resource: Digest): Promise<readonly string[]> {
  const { holder, queue = [] } = (await lockView(url, resource)) ?? {};
  if (!holder && queue.length === 0) return [];
  return [holder?.nodeId ?? '', ...queue.map((waiter) => waiter.nodeId)];
}

/** Milliseconds since the server heard of a session that it knows. */
export async function silenceMs(url: string, sessionId: string): Promise<number | undefined> {
  const { body } = await sendRaw(url, 'GET', '/nodes');
  return v.parse(nodesReplySchema, body).find((node) => node.sessionId === sessionId)?.lastSeenMs;
}
