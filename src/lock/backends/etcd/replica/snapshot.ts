import * as v from 'valibot';
import { LayerpullError } from '../../../../core/errors.ts';
import type { MachineOptions } from '../../../machine/options.ts';
import type { MachineState } from '../../../machine/state.ts';
import type { ClusterState } from './cluster.ts';
import { type Graph, graphFormat } from './graph.ts';
import { readGraph } from './graph-read.ts';
import { writeGraph } from './graph-write.ts';

/** All that servers agree on, but the options. The same text for all that applied the same entries. */
export function encodeCluster(cluster: ClusterState): string {
  const encoding = encodeInSlices(cluster);
  for (;;) {
    const { done, value } = encoding.next();
    if (done) return value;
  }
}

/** The same in slices of some milliseconds, between which something else can be done. Nothing may be applied till the end. */
export function* encodeInSlices(cluster: ClusterState): Generator<undefined, string> {
  const { atMs, tickedMs, seats, check } = cluster;
  const machine = { ...cluster.machine, options: undefined };
  const graph = yield* writeGraph({ machine, atMs, tickedMs, seats, check });
  const parts: string[] = [];
  for (const [name, value] of Object.entries(graph)) {
    yield;
    parts.push(`${JSON.stringify(name)}:${JSON.stringify(value)}`);
  }
  return `{${parts.join()}}`;
}

/** @throws LayerpullError `data_unusable` for what `encodeCluster` did not write */
export function decodeCluster(text: string, options: MachineOptions): ClusterState {
  const { machine, ...cluster } = clusterOf(text);
  return { ...cluster, machine: { ...machine, options } };
}

type Written = ClusterState & { readonly machine: Omit<MachineState, 'options'> };

function clusterOf(text: string): Written {
  try {
    const root = readGraph(graphOf(JSON.parse(text)));
    if (isCluster(root)) return root;
  } catch (cause) {
    throw unusable({ cause });
  }
  throw unusable();
}

const list = v.custom<readonly number[]>(Array.isArray);
const graphSchema = v.object({
  format: v.literal(graphFormat),
  shapes: v.array(v.array(v.string())),
  strings: v.custom<readonly string[]>(Array.isArray),
  records: list,
  numbers: list,
  tags: v.string(),
});

function graphOf(json: unknown): Graph {
  return v.parse(graphSchema, json);
}

const map = v.instance(Map);
const set = v.instance(Set);
const clusterSchema = v.looseObject({
  ...{ atMs: v.number(), tickedMs: v.number(), check: v.number(), seats: map },
  machine: v.looseObject({
    ...{ nextToken: v.number(), sessions: map, stores: map, locks: map, swarms: map, idle: map },
    ...{ active: set, timedHolds: set, timedPlaces: set },
  }),
});

function isCluster(root: object): root is Written {
  return v.is(clusterSchema, root);
}

function unusable(options?: { readonly cause: unknown }): LayerpullError {
  return new LayerpullError('data_unusable', 'the snapshot of the lock servers cannot be read', options);
}
