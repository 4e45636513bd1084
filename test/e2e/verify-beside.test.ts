import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { onCleanup } from '../support/cleanup.ts';
import { runCli } from '../support/cli.ts';
import { createFakeRegistry } from '../support/fake-registry.ts';
import { tempDir } from '../support/temp.ts';

const rounds = 4;

describe('layerpull verify beside others', () => {
  it('finds nothing wrong while images come and go', async () => {
    const fake = await createFakeRegistry();
    onCleanup(() => fake.close());
    const stays = fake.addImage({ repository: 'team/stays' });
    const changes = fake.addImage({ repository: 'team/changes', layers: [70_000, 2_000, 300] });
    const store = path.join(tempDir(), 'store');
    const run = (command: string, ...args: string[]) => runCli([command, ...args, '--store', store]);
    expect((await run('pull', stays.reference)).code).toBe(0);
    let isOver = false;
    const comeAndGo = async () => {
      for (let round = 0; round < rounds; round += 1) {
        expect(await run('pull', changes.reference)).toMatchObject({ code: 0 });
        expect(await run('rm', changes.reference)).toMatchObject({ code: 0 });
      }
      isOver = true;
    };
    const look = async () => {
      do {
        const { code, stdout } = await run('verify', '--json');
        expect([code, JSON.parse(stdout).problems]).toEqual([0, []]);
      } while (!isOver);
    };
    await Promise.all([comeAndGo(), look(), look()]);
    expect((await run('verify')).code).toBe(0);
  });

  it('repairs while the image is pulled, and the image is whole at the end', async () => {
    const fake = await createFakeRegistry();
    onCleanup(() => fake.close());
    const image = fake.addImage({ layers: [70_000, 2_000] });
    const store = path.join(tempDir(), 'store');
    const gate = fake.hold(image.layers[0]?.digest ?? '', 1_000);
    const pulling = runCli(['pull', image.reference, '--store', store]);
    await gate.reached;
    const stray = path.join(store, 'blobs', 'sha256', 'a'.repeat(64));
    writeFileSync(stray, 'not this');
    const repaired = await runCli(['verify', '--repair', '--store', store]);
    expect([repaired.code, existsSync(stray)]).toEqual([0, false]);
    gate.release();
    expect((await pulling).code).toBe(0);
    expect((await runCli(['verify', '--store', store])).code).toBe(0);
  });
});
