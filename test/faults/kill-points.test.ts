import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { digestOf } from '../../src/core/digest.ts';
import { type RequestId, type SessionId, type Token, toNodeId, toRequestId } from '../../src/core/ids.ts';
import type { CommitPoint } from '../../src/lock/backends/durable/durable-locks.ts';
import { createHttpLocks } from '../../src/lock/backends/http/http-locks.ts';
import type { AcquireReply, Locks, Outcome } from '../../src/lock/locks.ts';
import { onCleanup } from '../support/cleanup.ts';
import { spawnProcess } from '../support/processes.ts';
import { tempDir } from '../support/temp.ts';
import { testProgram } from '../support/test-program.ts';

const layer = digestOf(Buffer.from('a layer'));
const failure: Outcome = { success: false, error: 'broken', class: 'node' };
const waiterCount = 1_000;

interface Client {
  readonly sessionId: SessionId;
  readonly requestId: RequestId;
}

async function startServer(directory: string, port = '0') {
  const program = await testProgram('kill-point-server');
  const env = { PATH: process.env['PATH'] };
  const child = await spawnProcess(process.execPath, [program, directory, port], { env });
  const [url] = await child.stdout.waitFor(/http:\/\/127\.0\.0\.1:\d+/);
  const locks = createHttpLocks({
    servers: [new URL(url)],
    version: 'test',
    clock: systemClock,
    timeouts: { retries: 0 },
  });
  onCleanup(() => locks.close());
  const arm = async (point: CommitPoint) => {
    child.stdin.write(`${point}\n`);
    await child.stdout.waitFor(new RegExp(`armed ${point}`));
  };
  return { locks, child, arm, port: new URL(url).port };
}

async function join(locks: Locks, name: string): Promise<Client> {
  const { sessionId } = await locks.openSession({ nodeId: toNodeId(name) });
  return { sessionId, requestId: toRequestId(randomUUID()) };
}

const about = ({ sessionId }: Client) =>
  ({ type: 'pull', resourceId: layer, nodeId: toNodeId('n'), sessionId }) as const;

const acquire = (locks: Locks, client: Client): Promise<AcquireReply> =>
  locks.acquire({ ...about(client), requestId: client.requestId });

const fail = (locks: Locks, client: Client, token: Token) =>
  locks.release({ ...about(client), token, outcome: failure });

/** A holder, and waiters in a known order. */
async function fill(locks: Locks): Promise<{ holder: Client; token: Token; waiters: Client[] }> {
  const holder = await join(locks, 'holder');
  const token = tokenOf(await acquire(locks, holder));
  const waiters: Client[] = [];
  for (let index = 0; index < waiterCount; index += 1) {
    const waiter = await join(locks, `waiter-${index}`);
    waiters.push(waiter);
    expect(await acquire(locks, waiter)).toMatchObject({ kind: 'queued', position: index + 1 });
  }
  return { holder, token, waiters };
}

function tokenOf(reply: AcquireReply): Token {
  if (reply.kind !== 'granted') throw new Error(`not granted: ${JSON.stringify(reply)}`);
  return reply.token;
}

/** All places, asked for at once, as each waiter is told. */
async function placesOf(locks: Locks, waiters: readonly Client[]): Promise<(number | string)[]> {
  const replies = await Promise.all(waiters.map((waiter) => acquire(locks, waiter)));
  return replies.map((reply) => (reply.kind === 'queued' ? reply.position : reply.kind));
}

const ascending = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

describe.each<CommitPoint>(['before-append', 'after-append', 'before-reply'])(
  'a server that is killed %s, with a holder and a thousand waiters',
  { timeout: 180_000 },
  (point) => {
    it('hands the lock to the first of them, once, and keeps everybody else in line', async () => {
      const directory = tempDir();
      const first = await startServer(directory);
      const { holder, token, waiters } = await fill(first.locks);
      await first.arm(point);
      await expect(fail(first.locks, holder, token)).rejects.toMatchObject({ code: 'lock_unreachable' });
      expect(await first.child.exited).toMatchObject({ signal: 'SIGKILL' });

      const second = await startServer(directory, first.port);
      expect(await fail(second.locks, holder, token)).toEqual({ kind: 'released' });
      const places = await placesOf(second.locks, waiters);
      expect(places).toEqual(['granted', ...ascending(waiterCount - 1)]);
      const [head, next] = waiters;
      if (!head || !next) throw new Error('there are waiters');
      const headToken = tokenOf(await acquire(second.locks, head));
      expect(headToken).toBeGreaterThan(token);
      await fail(second.locks, head, headToken);
      expect(tokenOf(await acquire(second.locks, next))).toBeGreaterThan(headToken);
    });

    it('enqueues a request once that was repeated after it', async () => {
      const directory = tempDir();
      const first = await startServer(directory);
      const [holder, one, two] = [
        await join(first.locks, 'holder'),
        await join(first.locks, 'one'),
        await join(first.locks, 'two'),
      ];
      await acquire(first.locks, holder);
      await first.arm(point);
      await expect(acquire(first.locks, one)).rejects.toMatchObject({ code: 'lock_unreachable' });
      await first.child.exited;
      const second = await startServer(directory, first.port);
      expect(await acquire(second.locks, one)).toMatchObject({ kind: 'queued', position: 1 });
      expect(await acquire(second.locks, two)).toMatchObject({ kind: 'queued', position: 2 });
      expect(await placesOf(second.locks, [one, two])).toEqual([1, 2]);
    });
  },
);
