import fs from 'node:fs';
import path from 'node:path';
import { open } from 'lmdb';
import { describe, expect, it } from 'vitest';
import { deferred } from '../../../../src/core/abort.ts';
import { LayerpullError } from '../../../../src/core/errors.ts';
import { toNodeId } from '../../../../src/core/ids.ts';
import {
  createDurableLocks,
  type DurableLocksOptions,
} from '../../../../src/lock/backends/durable/durable-locks.ts';
import { layer, otherLayer } from '../../../conformance/locks/layers.ts';
import { onCleanup } from '../../../support/cleanup.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';
import { tempDir } from '../../../support/temp.ts';

async function openAt(directory: string, options: Partial<DurableLocksOptions> = {}) {
  const clock = createFakeClock();
  const locks = await createDurableLocks({ directory, clock, recoveryMs: 0, ...options });
  onCleanup(() => locks.close());
  return locks;
}

const pull = { type: 'pull' as const, resourceId: layer, nodeId: toNodeId('a') };

async function tokenAt(directory: string, options?: Partial<DurableLocksOptions>): Promise<number> {
  const locks = await openAt(directory, options);
  const other = { ...pull, resourceId: otherLayer };
  const reply = await locks.acquire(other);
  await locks.release({ ...other, outcome: { success: false, error: 'x', class: 'node' } });
  await locks.close();
  return reply.kind === 'granted' ? reply.token : 0;
}

/** The one error of a data directory, with what people see of it. */
async function problemOf(directory: string): Promise<Pick<LayerpullError, 'code' | 'message' | 'exitCode'>> {
  const problem = await openAt(directory).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(problem instanceof LayerpullError)) throw new Error(`no LayerpullError: ${problem}`);
  return problem;
}

async function usedDirectory(): Promise<string> {
  const directory = tempDir();
  await tokenAt(directory);
  return directory;
}

describe('a data directory', () => {
  it('is made with its parents, for its owner alone', async () => {
    const directory = path.join(tempDir(), 'var', 'locks');
    await openAt(directory);
    expect(fs.statSync(directory).mode & 0o777).toBe(0o700);
  });

  it('belongs to one server at a time, and to the next one after that', async () => {
    const directory = tempDir();
    const first = await openAt(directory);
    expect(await problemOf(directory)).toMatchObject({ code: 'data_in_use', exitCode: 8 });
    await first.close();
    await openAt(directory);
  });

  it('of a newer format is not touched', async () => {
    const directory = await usedDirectory();
    const database = open({ path: directory, encoding: 'json' });
    await database.put(['meta'], { format: 2, nextToken: 7, more: true });
    await database.close();
    const problem = await problemOf(directory);
    expect(problem).toMatchObject({ code: 'data_unusable', exitCode: 8 });
    expect(problem.message).toContain('format 2');
    const again = open({ path: directory, encoding: 'json' });
    expect(again.get(['meta'])).toMatchObject({ format: 2 });
    await again.close();
  });

  it('that holds something else is refused in words', async () => {
    const directory = tempDir();
    fs.writeFileSync(path.join(directory, 'data.mdb'), Buffer.alloc(100_000, 'x'));
    expect(await problemOf(directory)).toMatchObject({ code: 'data_unusable' });
  });

  it('whose file was cut down to its beginning is refused in words', async () => {
    const directory = await usedDirectory();
    fs.truncateSync(path.join(directory, 'data.mdb'), 20);
    expect(await problemOf(directory)).toMatchObject({ code: 'data_unusable' });
  });

  it('with a record that makes no sense is refused, naming it', async () => {
    const directory = await usedDirectory();
    const database = open({ path: directory, encoding: 'json' });
    await database.put(['waiter', 77, 1], { nodeId: 'a' });
    await database.close();
    expect((await problemOf(directory)).message).toContain('["waiter",77,1]');
  });

  it('that is a file is refused in words', async () => {
    const file = path.join(tempDir(), 'file');
    fs.writeFileSync(file, '');
    expect(await problemOf(file)).toMatchObject({ code: 'data_unusable', exitCode: 8 });
  });

  it('gives tokens that rise over restarts, also when the clock was set back a day', async () => {
    const directory = tempDir();
    const tokens = [
      await tokenAt(directory),
      await tokenAt(directory),
      await tokenAt(directory, { clock: createFakeClock(1_699_900_000_000) }),
    ];
    expect(tokens).toEqual([...tokens].sort((one, other) => one - other));
    expect(new Set(tokens).size).toBe(3);
  });

  it('that was restored from a backup gives no token again that was given since', async () => {
    const directory = tempDir();
    await tokenAt(directory);
    const backup = tempDir();
    fs.cpSync(directory, backup, { recursive: true });
    const later = await tokenAt(directory, { clock: createFakeClock(1_700_000_060_000) });
    expect(await tokenAt(backup, { clock: createFakeClock(1_700_000_120_000) })).toBeGreaterThan(later);
  });

  it('gives no token twice that a server gave out and could not keep', async () => {
    const directory = tempDir();
    const seen: number[] = [];
    const stuck = deferred<void>();
    const locks = await openAt(directory, {
      observe: ({ token }) => token !== undefined && seen.push(token),
      onPoint: (point) => (point === 'before-append' && seen.length > 0 ? stuck.promise : undefined),
    });
    await locks.acquire(pull);
    void locks.release({ ...pull, outcome: { success: false, error: 'x', class: 'node' } });
    void locks.acquire({ ...pull, nodeId: toNodeId('b') });
    const { view } = await locks.status({ ...pull, nodeId: toNodeId('c') });
    fs.cpSync(directory, `${directory}-copy`, { recursive: true });
    onCleanup(() => fs.rmSync(`${directory}-copy`, { recursive: true, force: true }));
    stuck.resolve();
    expect(view.holder?.token).toBeGreaterThan(Math.max(...seen));
    expect(await tokenAt(`${directory}-copy`)).toBeGreaterThan(view.holder?.token ?? Number.MAX_VALUE);
  });

  it('answers and tells nothing while the disk is slow, but reads go on', async () => {
    const directory = tempDir();
    let isSlow = false;
    let wake: () => void = () => {};
    const locks = await openAt(directory, {
      onPoint: (point) =>
        point === 'before-append' && isSlow
          ? new Promise<void>((resolve) => {
              wake = resolve;
            })
          : undefined,
    });
    isSlow = true;
    let answered = false;
    const acquired = locks.acquire(pull).then((reply) => {
      answered = true;
      return reply;
    });
    expect((await locks.status({ ...pull, nodeId: toNodeId('b') })).acquired).toBe(false);
    expect(await locks.list({})).toHaveLength(1);
    expect(answered).toBe(false);
    isSlow = false;
    wake();
    expect(await acquired).toMatchObject({ kind: 'granted' });
  });
});
