import type { Digest } from '../../src/core/digest.ts';
import { type LockClient, startLockClient } from './lock-client.ts';

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
