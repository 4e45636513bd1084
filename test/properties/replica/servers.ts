import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import type { SessionId } from '../../../src/core/ids.ts';
import { applyEntry, createCluster, type Reply } from '../../../src/lock/backends/etcd/replica/apply.ts';
import {
  type ClusterCommand,
  type ClusterState,
  type Entry,
  type SeatId,
  toSeatId,
} from '../../../src/lock/backends/etcd/replica/cluster.ts';
import { decodeEntry, encodeEntry } from '../../../src/lock/backends/etcd/replica/entry.ts';
import type { Command, CommandOf, Replies } from '../../../src/lock/machine/commands.ts';
import type { MachineEvent } from '../../../src/lock/machine/events.ts';
import { machineOptions } from '../../../src/lock/machine/options.ts';
import type { MachineState } from '../../../src/lock/machine/state.ts';
import type { StepResult } from '../../../src/lock/machine/step.ts';
import type { Stepper } from '../machine/stepper.ts';

/** How the next command gets into the log: by which server, how late its clock is, and whether the entry comes twice. */
export interface Way {
  readonly server: number;
  readonly lateMs: number;
  readonly isTwice: boolean;
}

export const ways: fc.Arbitrary<Way[]> = fc.array(
  fc.record({
    server: fc.nat({ max: 2 }),
    lateMs: fc.constantFrom(0, 0, 0, 3, 20_000),
    isTwice: fc.constantFrom(false, false, false, true),
  }),
  { minLength: 1, maxLength: 20 },
);

/** One entry as it is in etcd. */
export interface Logged {
  readonly seat: SeatId;
  readonly seq: number;
  readonly text: string;
}

export const optionsFor = (recoveryMs: number) => machineOptions({ recoveryMs });

/** Three servers that share a machine by what they write; each may go, and comes back with another seat. */
export class Servers implements Stepper {
  readonly cluster: ClusterState;
  readonly state: MachineState;
  readonly log: Logged[] = [];
  /** All that the replica told, as text. */
  readonly told: string[] = [];
  readonly #ways: readonly Way[];
  readonly #seqs = new Map<SeatId, number>();
  readonly #lives = [1, 1, 1];
  #written = 0;

  constructor(recoveryMs: number, given: readonly Way[]) {
    this.cluster = createCluster(optionsFor(recoveryMs), 0);
    this.state = this.cluster.machine;
    this.#ways = given;
  }

  step<Kind extends Command['kind']>(command: CommandOf<Kind>, nowMs: number): StepResult<Kind> {
    const way = this.#nextWay();
    const isTick = command.kind === 'tick';
    const events: MachineEvent[] = [];
    // Whose clock is late writes behind somebody whose clock is not.
    if (way.lateMs > 0) events.push(...this.#write(this.seatAt(way.server + 1), [], nowMs).events);
    const atMs = Math.max(0, nowMs - way.lateMs);
    const commands = isTick ? [] : [command as Exclude<Command, { kind: 'tick' }>];
    const { replies, events: told } = this.#write(this.#writerOf(command, way), commands, atMs);
    if (way.isTwice) this.#repeat();
    const reply = replies[0] as Replies[Kind];
    return { state: this.state, reply, events: [...events, ...told], changes: [] };
  }

  /** That server is gone, and another one says so. */
  leave(server: number, nowMs: number): readonly MachineEvent[] {
    const seat = this.seatAt(server);
    this.#lives[server % 3] = (this.#lives[server % 3] ?? 0) + 1;
    return this.#write(this.seatAt(server + 1), [{ kind: 'seat-gone', seat }], nowMs).events;
  }

  /** That server says that it hears this session no more. */
  silence(server: number, sessionId: SessionId, nowMs: number): readonly MachineEvent[] {
    return this.#write(this.seatAt(server), [{ kind: 'session-quiet', sessionId, silentMs: 6_000 }], nowMs)
      .events;
  }

  seatAt(server: number): SeatId {
    return toSeatId(`seat-${server % 3}-${this.#lives[server % 3]}`);
  }

  /** What ends, mostly ends at the server where it began. */
  #writerOf(command: Command, { server, lateMs }: Way): SeatId {
    const seats = [...this.cluster.seats.values()];
    const owner = seats.find(
      ({ streams, listeners }) =>
        (command.kind === 'stream-closed' && streams.has(command.sessionId)) ||
        (command.kind === 'listener-closed' && listeners.has(command.resourceId)),
    );
    return owner && lateMs === 0 ? owner.id : this.seatAt(server);
  }

  #nextWay(): Way {
    const way = this.#ways[this.#written % this.#ways.length];
    this.#written += 1;
    return way ?? { server: 0, lateMs: 0, isTwice: false };
  }

  #write(seat: SeatId, commands: readonly ClusterCommand[], atMs: number) {
    const seq = (this.#seqs.get(seat) ?? 0) + 1;
    this.#seqs.set(seat, seq);
    const entry: Entry = { seat, seq, atMs, commands };
    const logged = { seat, seq, text: encodeEntry(entry) };
    this.log.push(logged);
    const replies: Reply[] = [];
    const events: MachineEvent[] = [];
    applyEntry(this.cluster, read(logged, entry), (index, reply, told) => {
      this.told.push(JSON.stringify([index, reply, told]));
      if (index >= 0) replies.push(reply);
      events.push(...told);
    });
    return { replies, events };
  }

  #repeat(): void {
    const last = this.log.at(-1);
    if (last) applyEntry(this.cluster, read(last), refuse);
  }
}

/** The entry that another server reads. It must be the one that was written. */
function read({ seat, seq, text }: Logged, written?: Entry): Entry {
  const entry = decodeEntry(seat, seq, text);
  if (!entry || (written && !isDeepStrictEqual(entry, written)))
    throw new Error(`another entry was read: ${text} ${JSON.stringify(entry)}`);
  return entry;
}

function refuse(): never {
  throw new Error('an entry was applied twice');
}

/** Applies what is in the log, and each entry that comes twice once. Answers what the replica told, as text. */
export function follow(cluster: ClusterState, log: readonly Logged[], isTwice = false): string[] {
  const told: string[] = [];
  for (const logged of log) {
    applyEntry(cluster, read(logged), (index, reply, events) => {
      told.push(JSON.stringify([index, reply, events]));
    });
    if (isTwice && cluster.seats.has(logged.seat)) applyEntry(cluster, read(logged), refuse);
  }
  return told;
}
