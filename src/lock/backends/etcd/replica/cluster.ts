import type { Digest } from '../../../../core/digest.ts';
import type { Brand, NodeId, SessionId } from '../../../../core/ids.ts';
import type { Command } from '../../../machine/commands.ts';
import type { MachineState } from '../../../machine/state.ts';

/** One life of one lock server in the cluster. A server that lost its place comes back under another. */
export type SeatId = Brand<string, 'SeatId'>;
export const toSeatId = (text: string): SeatId => text as SeatId;

/** A lock server as all of them know it. */
export interface Seat {
  readonly id: SeatId;
  /** Number of its last entry. */
  lastSeq: number;
  /** Sessions that it hears, and so answers for: as long as one server does, a session is alive. */
  readonly homes: Set<SessionId>;
  /** Event streams that it has open, by session. */
  readonly streams: Map<SessionId, number>;
  /** Streams of older clients, by resource. */
  readonly listeners: Map<Digest, number>;
  /** Nodes that hold locks without a session, and asked here last. */
  readonly nodes: Set<NodeId>;
}

/** What all lock servers of a cluster agree on: it follows from the entries in their order, and from nothing else. */
export interface ClusterState {
  readonly machine: MachineState;
  /** Time of the cluster, in whole milliseconds: that of the last entry. Starts at wall time; never goes back. */
  atMs: number;
  /** When the machine was ticked last. */
  tickedMs: number;
  /** In the order in which they came. */
  readonly seats: Map<SeatId, Seat>;
  /** Folds what every step answered into one number: servers that part from one another notice. */
  check: number;
}

export type ClusterCommand =
  | Exclude<Command, { kind: 'tick' }>
  /** The server ended or lost its lease: others hear its sessions within a TTL, or they are lost. */
  | { readonly kind: 'seat-gone'; readonly seat: SeatId }
  /** The server that writes this has heard no heartbeat of it for a whole TTL. */
  | { readonly kind: 'session-quiet'; readonly sessionId: SessionId; readonly silentMs: number }
  /** What was read in the place of a command and is none. It changes nothing, and its writer is told. */
  | { readonly kind: 'malformed' };

/** What a server came to behind the entry of that revision. */
export interface Checked {
  readonly revision: number;
  readonly check: number;
}

/** What one server writes at once. Its place in the order is that of its revision in etcd. */
export interface Entry {
  readonly seat: SeatId;
  /** Counts upwards from 1 within the seat. */
  readonly seq: number;
  /** Time of the cluster as its writer estimates it. */
  readonly atMs: number;
  /** Of the last entry that its writer had applied. */
  readonly checked?: Checked | undefined;
  /** Empty: it only lets time pass. */
  readonly commands: readonly ClusterCommand[];
}
