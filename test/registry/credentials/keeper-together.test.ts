import { mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import locks from 'fs-native-extensions';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { createKeeper } from '../../../src/registry/credentials/keeper.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { soon } from '../../support/soon.ts';
import { tempDir } from '../../support/temp.ts';
import { bob } from '../scripted.ts';
import { errorOf } from '../support.ts';

const names = Array.from({ length: 12 }, (_, at) => `r${at}.example`);
const target = (registry: string) => ({ registry, namespace: '' });

/** One for each call: a process keeps one thing. */
const newSignal = () => new AbortController().signal;

function createRig(clock = systemClock) {
  const file = path.join(tempDir(), '.docker', 'config.json');
  const keeper = () => createKeeper(file, { env: {}, clock });
  const kept = () => Object.keys(JSON.parse(readFileSync(file, 'utf8')).auths).sort();
  return { file, folder: path.dirname(file), lock: `${file}.lock`, keeper, kept };
}

describe('credentials that are kept at the same time', () => {
  it('are all there in the end, and nothing else lies beside their file', async () => {
    const { folder, keeper, kept } = createRig();
    await Promise.all(names.map((name) => keeper().keep(target(name), bob, newSignal())));
    expect(kept()).toEqual([...names].sort());
    expect(readdirSync(folder)).toEqual(['config.json']);
  });

  it('outlive those that are forgotten meanwhile', async () => {
    const { keeper, kept } = createRig();
    const [old, fresh] = [names.slice(0, 6), names.slice(6)];
    for (const name of old) await keeper().keep(target(name), bob, newSignal());
    await Promise.all([
      ...old.map((name) => keeper().forget(target(name), newSignal())),
      ...fresh.map((name) => keeper().keep(target(name), bob, newSignal())),
    ]);
    expect(kept()).toEqual([...fresh].sort());
  });

  it('are not kept from it by a lock file that a killed process left behind', async () => {
    const { folder, lock, keeper, kept } = createRig();
    mkdirSync(folder);
    writeFileSync(lock, '');
    await keeper().keep(target('a.example'), bob, newSignal());
    expect(kept()).toEqual(['a.example']);
    expect(readdirSync(folder)).toEqual(['config.json']);
  });
});

describe('a file of credentials that another process keeps locked', () => {
  function createLocked() {
    const clock = createFakeClock();
    const rig = createRig(clock);
    mkdirSync(rig.folder);
    expect(locks.tryLock(openSync(rig.lock, 'w+'))).toBe(true);
    return { ...rig, clock };
  }

  it('ends the change with an error after a while, and stays as it was', async () => {
    const { clock, folder, keeper } = createLocked();
    const failing = errorOf(keeper().keep(target('a.example'), bob, newSignal()));
    let ended = false;
    void failing.then(() => {
      ended = true;
    });
    await soon(async () => {
      await clock.advance(1_000);
      expect(ended).toBe(true);
    });
    expect(await failing).toMatchObject({
      code: 'credentials_unusable',
      message: expect.stringContaining('config.json.lock locked'),
    });
    expect(readdirSync(folder)).toEqual(['config.json.lock']);
  });

  it('is left at once when the change is cancelled', async () => {
    const { clock, keeper } = createLocked();
    const stopping = new AbortController();
    const failing = errorOf(keeper().keep(target('a.example'), bob, stopping.signal));
    await soon(async () => expect(clock.pending()).toBe(1));
    const reason = new Error('stopped');
    stopping.abort(reason);
    expect(await failing).toBe(reason);
  });
});
