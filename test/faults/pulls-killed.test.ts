import path from 'node:path';
import { beforeAll, describe, expect } from 'vitest';
import { withOwnCleanups } from '../support/cleanup.ts';
import type { CliChild } from '../support/cli.ts';
import { runCli } from '../support/cli.ts';
import { describeWith } from '../support/components.ts';
import { pushImage } from '../support/images.ts';
import { resultOf, startPull, startServer, verifyStore } from '../support/pulls.ts';
import { startRegistry } from '../support/real-registry.ts';
import { randomFrom, soak } from '../support/soak.ts';
import { tempDir } from '../support/temp.ts';
import { waitForChange } from '../support/text-log.ts';
import { faultsOf, namesIn } from '../support/whole-store.ts';

const nodes = ['node-a', 'node-b'] as const;
const linesAtOnce = 6;
const pullsInLine = 3;
/** A pull of all that there is tells about so much. */
const maxEvents = 30;

interface Stage {
  readonly server: string;
  readonly images: readonly string[];
  readonly storeOf: (node: string) => string;
  readonly random: () => number;
}

let server = '';
let images: readonly string[] = [];

async function runLine(stage: Stage): Promise<number> {
  let killed = 0;
  for (let count = 0; count < pullsInLine; count += 1) {
    const node = oneOf(nodes, stage.random);
    const killAt = stage.random() < 0.75 ? Math.floor(stage.random() * maxEvents) : undefined;
    const pull = await pullInto(stage, node, oneOf(stage.images, stage.random));
    if (killAt !== undefined) await killAfter(pull, killAt);
    const run = await pull.result();
    if (run.signal === 'SIGKILL') killed += 1;
    else resultOf(run);
  }
  return killed;
}

function pullInto({ server, storeOf }: Stage, node: string, reference: string): Promise<CliChild> {
  return startPull({ reference, store: storeOf(node), node, server, more: ['--limit-rate', '8MiB'] });
}

/** Ends the pull with SIGKILL once it has told so much, unless it is done before. */
async function killAfter(pull: CliChild, events: number): Promise<void> {
  const told = () => (pull.stderr.lines().length >= events ? true : undefined);
  await Promise.race([waitForChange(pull.stderr, 120_000, `${events} events`, told), pull.exited]).catch(
    () => {},
  );
  pull.kill('SIGKILL');
}

function oneOf<T>(choices: readonly T[], random: () => number): T {
  const chosen = choices[Math.floor(random() * choices.length)];
  if (chosen === undefined) throw new Error('nothing to choose from');
  return chosen;
}

/** Files of those that were cut off: whoever ends by itself leaves none. */
function leftIn(store: string): string[] {
  return namesIn(store, 'ingest').flatMap((name) => [
    name,
    ...(name.startsWith('draft-') ? [] : namesIn(store, 'ingest', name).map((file) => `${name}/${file}`)),
  ]);
}

async function expectWhole(stage: Stage, node: string, killed: number): Promise<void> {
  const store = stage.storeOf(node);
  const left = leftIn(store);
  if (killed === 0) expect(left).toEqual([]);
  for (const reference of stage.images) resultOf(await (await pullInto(stage, node, reference)).result());
  expect(left).toEqual(expect.arrayContaining(leftIn(store)));
  expect(faultsOf(store)).toEqual([]);
  expect(namesIn(store, 'images')).toHaveLength(stage.images.length);
  const blobs = await verifyStore(store);
  const verified = await runCli(['verify', '--store', store]);
  expect(verified.code, verified.stdout + verified.stderr).toBe(0);
  expect((await runCli(['prune', '--store', store])).code).toBe(0);
  expect(await verifyStore(store)).toEqual(blobs);
  expect([...namesIn(store, 'trash'), ...namesIn(store, 'references')]).toEqual([]);
}

describeWith(['docker-registry'], 'pulls of images that share layers, by two nodes with a store each', () => {
  beforeAll(async () => {
    const registry = await startRegistry();
    const layer = (seed: string, bytes: number) => ({ seed, bytes });
    const [base, middle] = [layer('base', 6_000_000), layer('middle', 2_000_000)];
    const pushed = [
      await pushImage(registry, 'team/one', { layers: [base, layer('one', 3_000_000)] }),
      await pushImage(registry, 'team/two', { layers: [base, middle, layer('two', 50_000)], docker: true }),
      await pushImage(registry, 'team/three', { layers: [middle, layer('three', 4_000_000)], index: true }),
    ];
    images = pushed.map(({ reference }) => reference);
    server = (await startServer()).url;
  });

  describe('many at once, of which some are killed at any moment', () => {
    soak('never fail, and leave both stores whole', (seed) =>
      withOwnCleanups(async () => {
        const folder = tempDir();
        const storeOf = (node: string) => path.join(folder, node);
        const stage: Stage = { server, images, storeOf, random: randomFrom(seed) };
        const lines = Array.from({ length: linesAtOnce }, () => runLine(stage));
        const killed = (await Promise.all(lines)).reduce((sum, count) => sum + count, 0);
        for (const node of nodes) await expectWhole(stage, node, killed);
      }),
    );
  });
});
