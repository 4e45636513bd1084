import { expect } from 'vitest';
import type { Digest } from '../../src/core/digest.ts';
import { type LockClient, startLockClient } from './lock-client.ts';
import type { LockLine } from './lock-client-lines.ts';

/** A holder and those that wait behind it, each in a process of its own. */
export interface LockLineUp {
  readonly holder: LockClient;
  readonly first: LockClient;
  readonly second: LockClient;
  readonly third: LockClient;
  /** The holder's. */
  readonly token: number;
}

/** Starts four nodes and lines them up for `resource`, in the order of their names. */
export async function startLine(server: string, resource: Digest): Promise<LockLineUp> {
  const start = (nodeId: string) => startLockClient({ server, nodeId });
  const nodes = [start('holder'), start('first'), start('second'), start('third')] as const;
  const [holder, first, second, third] = await Promise.all(nodes);
  const token = await holder.hold(resource);
  for (const waiter of [first, second, third]) await waiter.queue(resource);
  return { holder, first, second, third, token };
}

/** Each fails in turn, the first of them holds. Answers with the tokens of those behind it, in their order. */
export async function handDown(resource: Digest, nodes: readonly LockClient[]): Promise<readonly number[]> {
  const tokens: number[] = [];
  for (const [index, node] of nodes.entries()) {
    if (index > 0) tokens.push(await node.granted());
    if (index < nodes.length - 1) await node.release(resource, 'disk full');
  }
  return tokens;
}

/** Each token is above the one before it. */
export function expectRising(tokens: readonly number[]): void {
  for (const [index, token] of tokens.slice(1).entries())
    expect(token).toBeGreaterThan(tokens[index] ?? token);
}

/** What a node was told that it should not hear while nothing happens to its locks and places. */
export function troubles(client: LockClient): readonly LockLine['kind'][] {
  const kinds = client.lines().map(({ kind }) => kind);
  return kinds.filter((kind) => ['revoked', 'ended', 'failed', 'warning'].includes(kind));
}
