import { describe, expect, it } from 'vitest';
import { withOwnCleanups } from '../support/cleanup.ts';
import { resourceNamed } from '../support/lock-client.ts';
import { lineUp, lockView } from '../support/lock-http.ts';
import { expectRising, handDown, startLine, troubles } from '../support/lock-line.ts';
import { type LockServerStart, type RunningLockServer, startLockServer } from '../support/lock-servers.ts';
import { soon } from '../support/soon.ts';
import { tempDir } from '../support/temp.ts';

interface Life {
  readonly name: string;
  readonly start: () => LockServerStart;
  /** Whether a waiter may be told to ask again; it does so from its place. */
  readonly mayEnd: boolean;
}

const lives: readonly Life[] = [
  { name: 'from its data', start: () => ({ data: tempDir() }), mayEnd: false },
  { name: 'by what nodes tell', start: () => ({}), mayEnd: true },
];

async function kill({ child }: RunningLockServer): Promise<void> {
  child.kill('SIGKILL');
  await child.exited;
}

describe('a server killed with SIGKILL and started again', { timeout: 180_000 }, () => {
  it.concurrent.each(lives)(
    'knows $name who held and who waited, in order, with all tokens',
    ({ start, mayEnd }) =>
      withOwnCleanups(async () => {
        const resource = resourceNamed('killed server');
        const options = start();
        const before = await startLockServer(options);
        const { holder, first, second, third, token } = await startLine(before.url, resource);
        const all = ['holder', 'first', 'second', 'third'];
        await kill(before);
        const { url } = await startLockServer({ ...options, address: before.address });
        await soon(async () => expect(await lineUp(url, resource)).toEqual(all));
        expect((await lockView(url, resource))?.holder?.token).toBe(token);
        const tokens = await handDown(resource, [holder, first, second, third]);
        expectRising([token, ...tokens]);
        const heard = [holder, first, second, third].flatMap(troubles);
        expect(heard.filter((kind) => !(mayEnd && kind === 'ended'))).toEqual([]);
      }),
  );

  it.concurrent('hears of a release that came meanwhile: what is done is not done again', () =>
    withOwnCleanups(async () => {
      const resource = resourceNamed('release without a server');
      const data = tempDir();
      const before = await startLockServer({ data });
      const { holder, first, second, third } = await startLine(before.url, resource);
      await kill(before);
      holder.send({ do: 'release', resource });
      await startLockServer({ data, address: before.address });
      await holder.next('released');
      await Promise.all([first, second, third].map((waiter) => waiter.next('skip')));
    }));
});
