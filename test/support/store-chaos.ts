import { type FSWatcher, mkdirSync, watch } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { runCli, spawnCli } from './cli.ts';
import type { FakeImage, FakeRegistry } from './fake-registry.ts';
import { faultsOf } from './whole-store.ts';

/** Folders of a store in which something changes at each step of a pull or a removal. */
const watched = ['images', 'references', 'trash', 'ingest', 'blobs/sha256'];

/** Kills processes of a store after so many changes in it, wherever those come from. */
export class StoreKiller {
  readonly #watchers: FSWatcher[];
  readonly #plans = new Set<{ left: number; readonly kill: () => void }>();

  constructor(store: string) {
    this.#watchers = watched.map((folder) => {
      mkdirSync(path.join(store, folder), { recursive: true });
      return watch(path.join(store, folder), () => this.#onChange());
    });
  }

  /** Calls `kill` once, after `changes` more changes. */
  after(changes: number, kill: () => void): void {
    this.#plans.add({ left: changes, kill });
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.close();
  }

  #onChange(): void {
    for (const plan of this.#plans) {
      plan.left -= 1;
      if (plan.left > 0) continue;
      this.#plans.delete(plan);
      plan.kill();
    }
  }
}

export interface ChaosOptions {
  readonly registry: FakeRegistry;
  readonly store: string;
  readonly images: readonly FakeImage[];
  /** In [0, 1). */
  readonly random: () => number;
  /** Processes at once, and how many each of them is followed by. */
  readonly lines: number;
  readonly steps: number;
}

/** Pulls, removals and prunes at once, some of which are killed, then a last prune. */
export async function runChaos(options: ChaosOptions): Promise<void> {
  await pullAll(options);
  const killer = new StoreKiller(options.store);
  try {
    await Promise.all(Array.from({ length: options.lines }, () => runLine(options, killer)));
  } finally {
    killer.close();
  }
  await expectDone(['prune', '--store', options.store]);
}

async function runLine(options: ChaosOptions, killer: StoreKiller): Promise<void> {
  for (let step = 0; step < options.steps; step += 1) {
    const args = chooseCommand(options);
    const killAfter = options.random() < 0.4 ? 1 + Math.floor(options.random() * 40) : 0;
    const child = await spawnCli(args);
    if (killAfter > 0) killer.after(killAfter, () => child.kill('SIGKILL'));
    const { code, signal, stderr } = await child.result();
    const wasKilled = signal === 'SIGKILL';
    const isUnknown = code === 3 && args[0] === 'rm';
    expect(wasKilled || isUnknown || code === 0, `${args.join(' ')}: ${code} ${stderr}`).toBe(true);
  }
}

function chooseCommand(options: ChaosOptions): string[] {
  const { store, images, random } = options;
  const image = oneOf(images, random)?.reference ?? '';
  const place = ['--store', store];
  const choice = random();
  if (choice < 0.5) delayLayer(options);
  if (choice < 0.5) return ['pull', image, '--progress', 'none', '--platform', 'linux/amd64', ...place];
  if (choice < 0.75) return ['rm', image, ...place];
  return ['prune', ...place];
}

/** A connection that breaks costs a pull a pause, in which others find what it has brought so far. */
function delayLayer({ registry, images, random }: ChaosOptions): void {
  const layer = oneOf(oneOf(images, random)?.layers ?? [], random);
  if (layer) registry.fault(layer.digest, { kind: 'flaky', afterBytes: 500 });
}

function oneOf<T>(choices: readonly T[], random: () => number): T | undefined {
  return choices[Math.floor(random() * choices.length)];
}

/** Every image that is there is whole, and after a pull of all of them all are. */
export async function expectWholeImages(stage: Pick<ChaosOptions, 'store' | 'images'>): Promise<void> {
  expect(faultsOf(stage.store)).toEqual([]);
  await pullAll(stage);
  expect(faultsOf(stage.store)).toEqual([]);
}

async function pullAll({ store, images }: Pick<ChaosOptions, 'store' | 'images'>): Promise<void> {
  for (const { reference } of images) {
    await expectDone(['pull', reference, '--platform', 'linux/amd64', '--store', store]);
  }
}

async function expectDone(args: string[]): Promise<void> {
  const run = await runCli(args);
  expect(run.code, `${args.join(' ')}: ${run.stderr}`).toBe(0);
}
