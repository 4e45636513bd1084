import { type Deferred, deferred } from '../../../core/abort.ts';
import type { SessionId } from '../../../core/ids.ts';
import type { Replies } from '../../machine/commands.ts';
import type { ClusterCommand, SeatId } from './replica/cluster.ts';

/** What a command is answered; what only the cluster knows has no answer. */
export type ReplyOf<Kind extends ClusterCommand['kind']> = Kind extends keyof Replies
  ? Replies[Kind]
  : undefined;

/** A command on its way into the order of the cluster, and whoever waits for its answer. */
export interface Request {
  readonly command: ClusterCommand;
  /** Infinite: it is given up only with the seat. */
  readonly addedMs: number;
  readonly answer: Deferred<unknown>;
  /** Runs at the very place in the order, before anything that comes later. */
  readonly onApplied: (reply: unknown) => void;
}

export function createRequest(
  command: ClusterCommand,
  addedMs: number,
  onApplied: (reply: unknown) => void = () => {},
): Request {
  const answer = deferred<unknown>();
  // Whoever asked may have gone.
  answer.promise.catch(() => {});
  return { command, addedMs, answer, onApplied };
}

/** Heartbeats that only tell progress: the latest of each session goes along with the next entry. */
export class Soon {
  readonly #commands = new Map<SessionId, ClusterCommand>();

  get size(): number {
    return this.#commands.size;
  }

  put(sessionId: SessionId, command: ClusterCommand): void {
    this.#commands.set(sessionId, command);
  }

  takeAll(): ClusterCommand[] {
    const all = [...this.#commands.values()];
    this.#commands.clear();
    return all;
  }
}

export function seatGone(seat: SeatId): ClusterCommand {
  return { kind: 'seat-gone', seat };
}
