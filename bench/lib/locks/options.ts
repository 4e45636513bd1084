import path from 'node:path';
import { parseArgs } from 'node:util';
import { parseCount } from '../numbers.ts';

export const benchNames = ['handoff', 'pairs', 'waiters', 'recovery', 'status'] as const;

export type BenchName = (typeof benchNames)[number];

export interface LocksOptions {
  readonly only: readonly BenchName[];
  /** How many wait on one resource; undefined: as each bench wants it. */
  readonly waiters: number | undefined;
  readonly clients: number;
  readonly seconds: number;
  /** Nodes that register, and how many of them each second. */
  readonly nodes: number;
  readonly nodesPerSecond: number;
  /** How many servers share one etcd, and of how many members that is. */
  readonly servers: number;
  readonly members: number;
  /** Where servers write CPU profiles; undefined: nowhere. */
  readonly profileDir: string | undefined;
}

export const help = `npm run bench -- locks [--only handoff,pairs,waiters,recovery,status] [--seconds 10] ...

  --only      some of the benches:
                handoff   from an unlock to the next holder's event
                pairs     lock and unlock, over HTTP and in process
                waiters   memory, fan-out and restart of a server with many streams
                recovery  until the next grant, after SIGKILL of a server and of the leader of etcd
                status    GET /lock/status while nodes register, and while the disk is slow
  --seconds   how long each value is measured
  --waiters   how many wait on one resource (default: 1000 for handoff, 5000 for waiters)
  --clients   concurrent clients of pairs over HTTP (default 32)
  --nodes     nodes that register for status (default 1000)
  --servers   lock servers over one etcd, beside the one with its own disk (default 3)
  --members   members of that etcd (default 3)
  --profile   a folder for CPU profiles of the servers
`;

/** Undefined: the help was asked for. @throws on options that make no sense */
export function parseOptions(args: string[]): LocksOptions | undefined {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string', default: benchNames.join(',') },
      seconds: { type: 'string', default: '10' },
      waiters: { type: 'string' },
      clients: { type: 'string', default: '32' },
      nodes: { type: 'string', default: '1000' },
      servers: { type: 'string', default: '3' },
      members: { type: 'string', default: '3' },
      profile: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return undefined;
  return {
    only: values.only.split(',').map(parseName),
    waiters: values.waiters === undefined ? undefined : parseCount(values.waiters),
    clients: parseCount(values.clients),
    seconds: parseCount(values.seconds),
    nodes: parseCount(values.nodes),
    nodesPerSecond: 100,
    servers: parseCount(values.servers),
    members: parseCount(values.members),
    profileDir: values.profile === undefined ? undefined : path.resolve(values.profile),
  };
}

function parseName(text: string): BenchName {
  const name = benchNames.find((each) => each === text);
  if (name) return name;
  throw new Error(`"${text}" is none of ${benchNames.join(', ')}`);
}
