import type { Digest } from '../../src/core/digest.ts';
import { toNodeId } from '../../src/core/ids.ts';
import type { PullEvent, PullResult } from '../../src/orchestrator/events.ts';

/** A well-formed digest that repeats one hexadecimal digit. */
export const digestOfDigit = (digit: string): Digest => `sha256:${digit.repeat(64)}` as Digest;

export const configDigest = digestOfDigit('c');
export const firstLayer = digestOfDigit('1');
export const secondLayer = digestOfDigit('2');

const registry = { kind: 'registry', url: 'http://127.0.0.1:5000' } as const;

export const pullResult: PullResult = {
  reference: 'docker.io/library/busybox:latest',
  digest: digestOfDigit('a'),
  manifestDigest: digestOfDigit('b'),
  platform: 'linux/amd64',
  platforms: [{ platform: 'linux/amd64', manifestDigest: digestOfDigit('b') }],
  node: toNodeId('node-a'),
  store: '/var/lib/layerpull/store',
  layers: [
    layer(configDigest, 1_000, 'downloaded', 1_000),
    layer(firstLayer, 4_194_304, 'downloaded', 4_194_304),
    layer(secondLayer, 2_097_152, 'skipped', 0),
  ],
  bytesFromRegistry: 4_195_304,
  bytesFromPeers: 0,
  bytesSaved: 2_097_152,
  bytesSpared: 2_097_152,
  durationMs: 1_320,
};

function layer(digest: Digest, size: number, outcome: 'downloaded' | 'skipped', bytes: number) {
  const source = outcome === 'downloaded' ? registry : ({ kind: 'store' } as const);
  return { digest, size, mediaType: 'application/octet-stream', outcome, source, bytes, durationMs: 100 };
}

type EventOf<Kind extends PullEvent['kind']> = PullEvent & { kind: Kind };

/** One event of each kind, with every field. */
export const pullEvents: { readonly [Kind in PullEvent['kind']]: EventOf<Kind> } = {
  resolved: {
    kind: 'resolved',
    reference: pullResult.reference,
    digest: pullResult.digest,
    manifestDigest: pullResult.manifestDigest,
    platform: { os: 'linux', architecture: 'amd64' },
    platforms: pullResult.platforms,
    layers: pullResult.layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  },
  waiting: { kind: 'waiting', digest: secondLayer, holder: toNodeId('node-b'), position: 2 },
  downloading: { kind: 'downloading', digest: firstLayer, offset: 0, size: 4_194_304, source: registry },
  progress: { kind: 'progress', digest: firstLayer, offset: 1_048_576, size: 4_194_304 },
  retrying: { kind: 'retrying', digest: firstLayer, message: 'connection reset' },
  switched: {
    kind: 'switched',
    digest: firstLayer,
    offset: 2_097_152,
    size: 4_194_304,
    source: { kind: 'registry', url: 'http://127.0.0.1:5001' },
    message: '127.0.0.1:5000 fell silent',
  },
  finished: {
    kind: 'finished',
    digest: firstLayer,
    size: 4_194_304,
    outcome: 'downloaded',
    source: registry,
    sources: [
      { kind: 'peer', url: 'http://10.0.0.2:7041', node: toNodeId('node-b'), bytes: 2_097_152 },
      { ...registry, bytes: 2_097_152 },
    ],
    bytes: 4_194_304,
    bytesFromPeers: 2_097_152,
    durationMs: 1_200,
  },
  failed: {
    kind: 'failed',
    digest: firstLayer,
    code: 'registry_failed',
    message: 'the registry answered 500',
  },
  warning: {
    kind: 'warning',
    code: 'lock_unreachable',
    message: 'cannot reach the lock server',
    hint: 'start it with layerpull serve',
  },
  exporting: { kind: 'exporting', path: '/tmp/busybox.tar', offset: 2_097_152, size: 6_292_456 },
  done: { kind: 'done', result: pullResult },
};
