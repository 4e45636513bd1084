import { describe, expect, it } from 'vitest';
import type { PeerParts } from '../../src/compose/peer-parts.ts';
import { composePull } from '../../src/compose/pull.ts';
import { readPullConfig } from '../../src/config/pull.ts';
import type { GivenFlags } from '../../src/config.ts';
import { systemClock } from '../../src/core/clock.ts';
import { silentLog } from '../../src/core/log.ts';
import { createMemoryLocks } from '../../src/lock/backends/memory.ts';
import { createLockServer } from '../../src/lock/server/server.ts';
import type { PullEvent } from '../../src/orchestrator/events.ts';
import { manifestRequests } from '../registry/documents-at-hand.ts';
import { errorOf } from '../registry/support.ts';
import { onCleanup } from '../support/cleanup.ts';
import { machine, on } from '../support/config.ts';
import { createFakeRegistry } from '../support/fake-registry.ts';
import { tempDir } from '../support/temp.ts';

const signal = new AbortController().signal;

async function startServer(): Promise<string> {
  const locks = createMemoryLocks({ clock: systemClock });
  const server = createLockServer({ locks, log: silentLog, clock: systemClock });
  const { url } = await server.listen({ host: '127.0.0.1', port: 0 });
  onCleanup(async () => {
    await server.close();
    await locks.close();
  });
  return url;
}

async function startRegistry() {
  const fake = await createFakeRegistry();
  onCleanup(() => fake.close());
  return fake;
}

interface Fleet {
  readonly said: string[];
  readonly events: PullEvent[];
  children: number;
}

/** A pull whose other nodes are of the test's making. */
async function compose(fleet: Fleet, flags: GivenFlags) {
  const parts: PeerParts = {
    reading: { guided: (_guide, registry) => registry },
    serve: async (store, { host }) => {
      fleet.said.push(`serve ${host} from ${store.blobs.path === flags['store']}`);
      const close = async () => void fleet.said.push('close server');
      const lastSentMs = () => Number.NEGATIVE_INFINITY;
      return { scheme: 'http', port: 7041, readers: () => 0, lastSentMs, close };
    },
    sharing: () => ({
      announce: ({ add }) => void fleet.said.push(...add.map(() => 'announce')),
      welcome: async () => void fleet.said.push('welcome'),
      drain: async () => void fleet.said.push('drain'),
      get children() {
        return fleet.children;
      },
    }),
    close: async () => void fleet.said.push('close peers'),
  };
  const pull = await composePull(readPullConfig({ platform: 'linux/amd64', ...flags }, on({ ...machine })), {
    log: silentLog,
    onEvent: (event) => fleet.events.push(event),
    loadPeers: async () => {
      fleet.said.push('load');
      return parts;
    },
  });
  onCleanup(() => pull.close());
  return pull;
}

const createFleet = (): Fleet => ({ said: [], events: [], children: 0 });

describe('a pull with a lock server', () => {
  it('serves, announces all that it has, drains, and closes its server last', async () => {
    const made = (await startRegistry()).addImage({ layers: [100, 200] });
    const fleet = createFleet();
    const pull = await compose(fleet, { store: tempDir(), server: await startServer() });
    await pull.run(made.reference, signal);
    const stays: string[] = [];
    await pull.linger(signal, () => stays.push('stay'));
    await pull.close();
    expect(fleet.said.filter((line) => line !== 'announce')).toEqual([
      'load',
      'serve 127.0.0.1 from true',
      'drain',
      'close server',
      'close peers',
    ]);
    expect(fleet.said.filter((line) => line === 'announce')).toHaveLength(4);
    expect(stays).toEqual([]);
  });

  it('asks the registry for a manifest by digest, after a HEAD that names it', async () => {
    const registry = await startRegistry();
    const made = registry.addImage();
    const pull = await compose(createFleet(), { store: tempDir(), server: await startServer() });
    await pull.run(made.reference, signal);
    expect(manifestRequests(registry)).toEqual(['HEAD latest', `GET ${made.digest}`]);
  });

  it('stays for those who read until a signal comes, and takes others meanwhile', async () => {
    const made = (await startRegistry()).addImage();
    const fleet = createFleet();
    fleet.children = 1;
    const pull = await compose(fleet, { store: tempDir(), server: await startServer() });
    await pull.run(made.reference, signal);
    const interrupt = new AbortController();
    await pull.linger(interrupt.signal, () => interrupt.abort());
    expect(fleet.said.filter((line) => line !== 'announce').slice(2, 3)).toEqual(['welcome']);
  });

  it('serves nobody with --no-share, and still reads from others', async () => {
    const made = (await startRegistry()).addImage();
    const fleet = createFleet();
    fleet.children = 1;
    const pull = await compose(fleet, { store: tempDir(), server: await startServer(), share: false });
    await pull.run(made.reference, signal);
    await pull.linger(signal, () => {
      throw new Error('nobody reads from here');
    });
    expect(fleet.said).toEqual(['load']);
  });

  it('needs no other node for an image that is there', async () => {
    const made = (await startRegistry()).addImage();
    const [store, server] = [tempDir(), await startServer()];
    await (await compose(createFleet(), { store, server })).run(made.reference, signal);
    const fleet = createFleet();
    const again = await compose(fleet, { store, server });
    expect(
      (await again.run(made.reference, signal)).layers.every(({ outcome }) => outcome === 'present'),
    ).toBe(true);
    await again.linger(signal, () => {});
    expect(fleet.said).toEqual([]);
  });

  it('leaves no store behind for an image that does not exist', async () => {
    const registry = await startRegistry();
    const fleet = createFleet();
    const store = `${tempDir()}/store`;
    const pull = await compose(fleet, { store, server: await startServer() });
    const error = await errorOf(pull.run(`${registry.host}/library/app:absent`, signal));
    expect(error).toMatchObject({ code: 'image_not_found' });
    expect(fleet.said).toEqual(['load']);
  });

  it('goes on alone when the lock server is gone, and says so once', async () => {
    const made = (await startRegistry()).addImage({ layers: [100, 200] });
    const fleet = createFleet();
    const flags = { store: tempDir(), server: 'http://127.0.0.1:9', 'first-contact': '200ms' };
    const pull = await compose(fleet, flags);
    const result = await pull.run(made.reference, signal);
    expect(result.layers.every(({ outcome }) => outcome === 'downloaded')).toBe(true);
    const warnings = fleet.events.flatMap((event) => (event.kind === 'warning' ? [event.code] : []));
    expect(warnings).toEqual(['lock_unreachable']);
  });

  it('ends with exit code 7 when it may not go on alone, without reading a manifest', async () => {
    const registry = await startRegistry();
    const made = registry.addImage();
    const flags = { server: 'http://127.0.0.1:9', 'first-contact': '200ms', 'on-lock-failure': 'fail' };
    const pull = await compose(createFleet(), { store: tempDir(), ...flags });
    expect(await errorOf(pull.run(made.reference, signal))).toMatchObject({ code: 'lock_unreachable' });
    expect(manifestRequests(registry)).toEqual(['HEAD latest']);
  });
});

describe('a pull without a lock server', () => {
  it('knows of no other node', async () => {
    const registry = await startRegistry();
    const made = registry.addImage();
    const fleet = createFleet();
    const pull = await compose(fleet, { store: tempDir() });
    await pull.run(made.reference, signal);
    await pull.linger(signal, () => {});
    expect(fleet.said).toEqual([]);
    expect(manifestRequests(registry)).toEqual(['GET latest']);
  });
});
