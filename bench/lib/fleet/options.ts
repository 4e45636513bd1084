import path from 'node:path';
import { parseArgs } from 'node:util';
import { inRoot } from '../../../test/support/root.ts';
import { parseBytes, parseCount } from '../numbers.ts';

export const contenderNames = ['pulls', 'agents', 'skopeo', 'cache'] as const;

export type ContenderName = (typeof contenderNames)[number];

export interface FleetOptions {
  readonly only: readonly ContenderName[];
  /** How many nodes start at once, one round after the other. */
  readonly nodes: readonly number[];
  /** How many of them with the programs that share nothing, which take long; also of the rounds with faults. */
  readonly others: number;
  readonly imageBytes: number;
  /** Numbers of layers, an image each. */
  readonly layers: readonly number[];
  readonly runs: number;
  readonly registryMbit: number;
  readonly nodeMbit: number;
  readonly faults: boolean;
  /** What `serve --fan-out` gets; undefined: its default. */
  readonly fanOut: number | undefined;
  readonly svg: string;
}

export const help = `npm run bench -- fleet [--only pulls,agents,skopeo,cache] [--nodes 2,4,8,16] [--faults] ...

Nodes with stores of their own pull one image at once, each behind a link of its own (network namespaces; needs root).

  --only           some of the contenders:
                     pulls   layerpull pull --server on every node
                     agents  layerpull pull through a layerpull agent that runs on every node
                     skopeo  skopeo copy on every node
                     cache   skopeo copy through a cold pull-through cache
  --nodes          how many nodes, one round each
  --others         how many with skopeo, with the cache and in the rounds with faults (default 8)
  --size, --layers the image, and in how many layers, one after the other (default 64MiB, 4,1)
  --runs           rounds of each kind; the median counts (default 1)
  --registry-link, --node-link
                   rates of the links in Mbit/s (default 100 and 200)
  --fan-out        how many nodes the lock server sends to one (default: as it does by itself)
  --faults         also rounds in which something fails at half of the image
  --svg            where the chart goes (default bench/out/fleet.svg)
`;

/** Undefined: the help was asked for. @throws on options that make no sense */
export function parseOptions(args: string[]): FleetOptions | undefined {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string', default: contenderNames.join(',') },
      nodes: { type: 'string', default: '2,4,8,16' },
      others: { type: 'string', default: '8' },
      size: { type: 'string', default: '64MiB' },
      layers: { type: 'string', default: '4,1' },
      runs: { type: 'string', default: '1' },
      'registry-link': { type: 'string', default: '100' },
      'node-link': { type: 'string', default: '200' },
      'fan-out': { type: 'string' },
      faults: { type: 'boolean', default: false },
      svg: { type: 'string', default: inRoot('bench', 'out', 'fleet.svg') },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return undefined;
  return {
    only: values.only.split(',').map(parseName),
    nodes: values.nodes.split(',').map(parseCount),
    others: parseCount(values.others),
    imageBytes: parseBytes(values.size),
    layers: values.layers.split(',').map(parseCount),
    runs: parseCount(values.runs),
    registryMbit: parseCount(values['registry-link']),
    nodeMbit: parseCount(values['node-link']),
    faults: values.faults,
    fanOut: values['fan-out'] === undefined ? undefined : parseCount(values['fan-out']),
    svg: path.resolve(values.svg),
  };
}

function parseName(text: string): ContenderName {
  const name = contenderNames.find((each) => each === text);
  if (name) return name;
  throw new Error(`"${text}" is none of ${contenderNames.join(', ')}`);
}
