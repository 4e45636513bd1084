import path from 'node:path';
import { parseArgs } from 'node:util';
import { parseBytes, parseCount } from '../numbers.ts';

export const jobNames = ['fetch', 'get', 'pull'] as const;

export type JobName = (typeof jobNames)[number];

export interface ContainerdOptions {
  readonly only: readonly JobName[];
  readonly imageBytes: number;
  readonly layers: number;
  /** Of the blob that is read. */
  readonly blobBytes: number;
  readonly runs: number;
  /** containerd's, which has what `pull` unpacks. */
  readonly snapshotter: string;
  /** Whether the plugin asks a lock server, or coordinates itself. */
  readonly server: boolean;
  /** Where plugins write CPU profiles; undefined: nowhere. */
  readonly profileDir: string | undefined;
}

export const help = `npm run bench -- containerd [--only fetch,get,pull] [--size 2GiB --layers 8] [--runs 5] ...

What a containerd takes whose content comes from \`layerpull content-plugin\`, beside one with its own content store.

  --only            some of the jobs:
                      fetch  ctr content fetch: an image, without unpacking it
                      get    ctr content get: a blob that is there
                      pull   ctr images pull: an image, with unpacking it
  --size, --layers  the image, and in how many layers
  --blob            the blob that is read (default 64MiB)
  --runs            alternating runs of each store, each with new folders; the median counts
  --server          with a lock server; without, the plugin coordinates itself
  --snapshotter     of pull (default overlayfs)
  --profile         a folder for CPU profiles of the plugin
`;

/** Undefined: the help was asked for. @throws on options that make no sense */
export function parseOptions(args: string[]): ContainerdOptions | undefined {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string', default: jobNames.join(',') },
      size: { type: 'string', default: '2GiB' },
      layers: { type: 'string', default: '8' },
      blob: { type: 'string', default: '64MiB' },
      runs: { type: 'string', default: '5' },
      server: { type: 'boolean', default: false },
      snapshotter: { type: 'string', default: 'overlayfs' },
      profile: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return undefined;
  return {
    only: values.only.split(',').map(parseName),
    imageBytes: parseBytes(values.size),
    layers: parseCount(values.layers),
    blobBytes: parseBytes(values.blob),
    runs: parseCount(values.runs),
    snapshotter: values.snapshotter,
    server: values.server,
    profileDir: values.profile === undefined ? undefined : path.resolve(values.profile),
  };
}

/** The registry has the image and the blob; beside it lies one store at a time, and what is unpacked of it. */
export function bytesNeeded({ only, imageBytes, blobBytes }: ContainerdOptions): number {
  return imageBytes * (only.includes('pull') ? 3.5 : 2.5) + 4 * blobBytes;
}

function parseName(text: string): JobName {
  const name = jobNames.find((each) => each === text);
  if (name) return name;
  throw new Error(`"${text}" is none of ${jobNames.join(', ')}`);
}
