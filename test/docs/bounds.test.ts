import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readAgentConfig } from '../../src/config/agent.ts';
import { readPullConfig } from '../../src/config/pull.ts';
import { readServeConfig } from '../../src/config/serve.ts';
import { standardPatience } from '../../src/http/short.ts';
import { maxListBytes } from '../../src/lock/backends/http/call.ts';
import { maxBodyBytes, maxHeartbeatBytes } from '../../src/lock/server/body.ts';
import { defaultLimits } from '../../src/lock/server/limits.ts';
import { defaultBounds } from '../../src/lock/session-bounds.ts';
import { defaultTransferLimits } from '../../src/peer/transfers.ts';
import { maxManifestBytes } from '../../src/registry/documents.ts';
import { maxIndexDepth } from '../../src/registry/walk.ts';
import { machine } from '../support/config.ts';
import { inRoot } from '../support/root.ts';

const text = readFileSync(inRoot('docs', 'bounds.md'), 'utf8');
const { commands } = JSON.parse(readFileSync(inRoot('oclif.manifest.json'), 'utf8'));

/** What the table of flags says: `pull --linger 10s`. */
const told = [...text.matchAll(/^\| .*? \| (`--.*?) \| (\w+) \| (.*?) \|$/gm)].flatMap(
  ([, flags = '', standard = '', users = '']) =>
    [...users.matchAll(/`(\w+)`/g)].flatMap(([, command = '']) =>
      [...flags.matchAll(/--([a-z-]+)/g)].map(([, flag = '']) => ({ command, flag, standard })),
    ),
);

const seconds = (ms: number) => `${ms / 1_000}s`;
const kibibytes = (bytes: number) => `${bytes / 1_024}KiB`;

const flags = { server: 'lock.example:8080', 'registry-addr': '127.0.0.1:5001' };
const pull = readPullConfig(flags, machine);
const agent = readAgentConfig(flags, machine);
const { bounds: serve } = readServeConfig({}, machine);

const shared = (
  { bounds, peers }: Pick<typeof pull, 'bounds' | 'peers'>,
  registry: typeof pull.registry,
) => ({
  'first-contact': seconds(bounds.firstContactMs),
  'out-of-reach': seconds(bounds.outOfReachMs),
  'min-rate': kibibytes(bounds.minRateBytesPerSecond),
  'min-rate-window': seconds(bounds.minRateWindowMs),
  'peer-stall-timeout': seconds(peers.silenceMs),
  'peer-min-rate': kibibytes(peers.minBytesPerSecond),
  'peer-min-rate-window': seconds(peers.minRateWindowMs),
  'max-transfers': `${peers.maxTransfers}`,
  'stall-timeout': seconds(registry.transfer.stallTimeoutMs),
  'mirror-min-rate': kibibytes(registry.mirrors.minRateBytesPerSecond),
  'mirror-min-rate-window': seconds(registry.mirrors.minRateWindowMs),
  'mirror-cool-down': `${registry.mirrors.coolDownMs / 60_000}m`,
});

const standards: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  pull: {
    ...shared(pull, pull.registry),
    linger: seconds(pull.share?.lingerMs ?? 0),
    'layer-timeout': `${pull.registry.transfer.layerTimeoutMs ?? 'none'}`,
    timeout: `${pull.registry.transfer.timeoutMs ?? 'none'}`,
  },
  agent: {
    ...shared(agent, agent.mirror?.registry ?? pull.registry),
    'drain-timeout': seconds(agent.drainMs),
    'offline-ttl': `${(agent.mirror?.offlineTtlMs ?? 0) / 3_600_000}h`,
  },
  serve: {
    'fan-out': `${serve.fanOut}`,
    'stall-timeout': seconds(serve.stallMs),
    'session-ttl': seconds(serve.ttlMs),
  },
};

describe('docs/bounds.md', () => {
  it('says the default of each bound as it is, for each command that has it', () => {
    const expected = Object.entries(standards).flatMap(([command, bounds]) =>
      Object.entries(bounds).map(([flag, standard]) => ({ command, flag, standard })),
    );
    const inOrder = (rows: typeof told) =>
      rows.map(({ command, flag, standard }) => `${command} --${flag} ${standard}`).toSorted();
    expect(inOrder(told)).toEqual(inOrder(expected));
  });

  it('names flags that these commands have', () => {
    expect(told.filter(({ command, flag }) => !Object.hasOwn(commands[command].flags, flag))).toEqual([]);
  });

  it('says limits as they are in the code', () => {
    const [listMiB, heartbeatMiB] = [maxListBytes, maxHeartbeatBytes].map((bytes) => bytes / 1_048_576);
    for (const row of [
      `| one manifest or index | ${maxManifestBytes / 1_048_576} MiB |`,
      `| indexes inside of indexes | ${maxIndexDepth} deep |`,
      `| request to a lock server, heartbeat | ${maxBodyBytes / 1_024} KiB, ${heartbeatMiB} MiB |`,
      `| answer of a lock server, list or heartbeat | 64 KiB, ${listMiB} MiB |`,
      `of one to a heartbeat | 30 s, ${defaultBounds.heartbeatTimeoutMs / 1_000} s |`,
      `where that one answers | ${standardPatience.askNextMs / 1_000} s, ${standardPatience.leaveMs / 1_000} s |`,
      `| connections and streams of a lock server | ${defaultLimits.maxConnections.toLocaleString('en')} and ${defaultLimits.maxStreams.toLocaleString('en')} |`,
      `| ${defaultLimits.headersTimeoutMs / 1_000} s and ${defaultLimits.requestTimeoutMs / 1_000} s |`,
      `takes nothing of what waits for it | ${defaultLimits.stallMs / 1_000} s |`,
      `| reader that takes less than ${defaultTransferLimits.minBytes / 1_024} KiB of what waits for it | ${defaultTransferLimits.slowMs / 1_000} s |`,
    ]) {
      expect(text).toContain(row);
    }
  });
});
