import { describe, expect, it } from 'vitest';
import { spawnCli } from '../support/cli.ts';
import { startLockServer } from '../support/lock-servers.ts';
import { setUpPull } from '../support/planned-pulls.ts';
import { resultOf, startPull } from '../support/pulls.ts';
import { StoreKiller } from '../support/store-chaos.ts';
import { faultsOf, namesIn } from '../support/whole-store.ts';

const more = ['--platform', 'linux/amd64'];

/** An image in a store, and an `rm` of it that gets the signal after so many changes in the store. */
async function startRemoval(changes: number, signal: 'SIGSTOP' | 'SIGKILL', ttlMs: number) {
  const { fake, store } = await setUpPull();
  const { url: server } = await startLockServer({ ttlMs });
  const { reference } = fake.addImage({ layers: [1_000, 2_000, 3_000, 4_000] });
  const pull = async () => resultOf(await (await startPull({ reference, store, server, more })).result());
  await pull();
  const killer = new StoreKiller(store);
  const child = await spawnCli(['rm', reference, '--store', store, '--server', server]);
  const reached = new Promise<void>((resolve) =>
    killer.after(changes, () => {
      child.kill(signal);
      resolve();
    }),
  );
  await Promise.race([reached, child.exited]);
  killer.close();
  return { child, pull, store };
}

// The first changes are of the image, the later ones of the blobs, one after the other.
describe.each([1, 2, 4, 6, 9, 13])('a removal that stands still after %i changes in the store', (changes) => {
  it('loses its locks to a pull, and takes nothing from it when it goes on', async () => {
    const { child, pull, store } = await startRemoval(changes, 'SIGSTOP', 1_500);
    await pull();
    expect(faultsOf(store)).toEqual([]);
    child.kill('SIGCONT');
    const { code, stderr } = await child.result();
    expect([0, 7], stderr).toContain(code);
    expect(faultsOf(store)).toEqual([]);
    await pull();
    expect(faultsOf(store)).toEqual([]);
    expect(namesIn(store, 'trash')).toEqual([]);
  });

  it('leaves nothing broken when it is killed there', async () => {
    const { child, pull, store } = await startRemoval(changes, 'SIGKILL', 1_500);
    await child.exited;
    await pull();
    expect(faultsOf(store)).toEqual([]);
    expect(namesIn(store, 'trash')).toEqual([]);
  });
});
