import { firstState, keyOf, type ModelState, type Moment, timesOf, withoutOthers } from './model-state.ts';
import type { Identity, Operation, ResourceHistory, ServerTimes } from './operations.ts';
import { place } from './placing.ts';
import { serverSteps } from './server-steps.ts';

export interface SearchOptions {
  readonly times: ServerTimes;
  /** Steps after which the search gives up. */
  readonly maxSteps: number;
  /** Hears of each operation that could not happen in a state that was reached, and why. */
  readonly onProblem?: (operation: Operation, problem: string) => void;
}

export type SearchResult = 'explained' | 'unexplained' | 'too long';

/**
 * Looks for an order of the operations, within the times at which they were under way, in which the model answers as
 * the server did. Depth first, as Wing and Gong do it; as Lowe proposes, what was tried without success from a state
 * with the same operations behind it is not tried again. Operations without an answer may be left out.
 */
export function search(history: ResourceHistory, options: SearchOptions): SearchResult {
  const one = new Search(history, options);
  try {
    return one.explore(firstState, 0n) ? 'explained' : 'unexplained';
  } catch (error) {
    if (error instanceof TooLong) return 'too long';
    throw error;
  }
}

class TooLong extends Error {}

class Search {
  readonly #history: ResourceHistory;
  readonly #options: SearchOptions;
  /** Those with an answer first, in the order of their answers. */
  readonly #operations: readonly Operation[];
  /** The times of the states that were explored without success, by what else they are. */
  readonly #explored = new Map<string, (readonly number[])[]>();
  #steps = 0;

  constructor(history: ResourceHistory, options: SearchOptions) {
    this.#history = history;
    this.#options = options;
    this.#operations = history.operations.toSorted((one, other) => byReturn(one, other));
  }

  explore(reached: ModelState, behind: bigint): boolean {
    const [observed, done] = this.#observe(reached, behind);
    const state = withoutOthers(observed, this.#remaining(done));
    const beforeMs = this.#deadline(done);
    if (beforeMs === Number.POSITIVE_INFINITY) return true;
    if (this.#wasExplored(state, done)) return false;
    const candidates = this.#candidates(done, beforeMs);
    return (
      candidates.some(([operation, bit]) => this.#try(state, operation, bit, done, beforeMs)) ||
      this.#stepsOfServer(state, candidates, beforeMs).some((next) => this.explore(next, done))
    );
  }

  /** When the next answer came: all that happens now, happens before. Infinite when all are placed. */
  #deadline(done: bigint): number {
    const next = this.#operations.findIndex((_, index) => (done & (1n << BigInt(index))) === 0n);
    return this.#operations[next]?.returnedMs ?? Number.POSITIVE_INFINITY;
  }

  #remaining(done: bigint): ReadonlySet<Identity> {
    const left = this.#operations.filter((_, index) => (done & (1n << BigInt(index))) === 0n);
    return new Set(left.map(({ who }) => who));
  }

  #candidates(done: bigint, beforeMs: number): [Operation, bigint][] {
    return this.#operations.flatMap((operation, index) => {
      const bit = 1n << BigInt(index);
      return (done & bit) === 0n && operation.calledMs <= beforeMs ? [[operation, bit]] : [];
    });
  }

  /** What cannot change anything and could happen at this very time does no harm by happening now. */
  #observe(state: ModelState, behind: bigint): [ModelState, bigint] {
    let done = behind;
    const key = keyOf(state);
    for (let again = true; again; ) {
      again = false;
      const beforeMs = this.#deadline(done);
      for (const [operation, bit] of this.#candidates(done, beforeMs)) {
        if (operation.calledMs > state.nowMs || !onlyObserves(operation, state)) continue;
        const { states } = place(state, operation, { afterMs: state.nowMs, beforeMs }, this.#options.times);
        const [next, ...others] = states;
        if (!next || others.length > 0 || keyOf(next) !== key) continue;
        done |= bit;
        again = true;
      }
    }
    return [state, done];
  }

  #try(state: ModelState, operation: Operation, bit: bigint, done: bigint, beforeMs: number): boolean {
    this.#count();
    const moment = { afterMs: Math.max(state.nowMs, operation.calledMs), beforeMs };
    const { states, problem } = place(state, operation, moment, this.#options.times);
    if (problem) this.#options.onProblem?.(operation, problem);
    const worthwhile = operation.answer ? states : states.filter((next) => keyOf(next) !== keyOf(state));
    return worthwhile.some((next) => this.explore(next, done | bit));
  }

  #stepsOfServer(
    state: ModelState,
    candidates: readonly [Operation, bigint][],
    beforeMs: number,
  ): readonly ModelState[] {
    const missed = candidates.flatMap(([{ answer, who }]): Identity[] =>
      answer?.kind === 'unknown-session' ? [who] : [],
    );
    const moment: Moment = { afterMs: state.nowMs, beforeMs };
    const { absences } = this.#history;
    return serverSteps(state, missed, moment, { times: this.#options.times, absences });
  }

  #wasExplored(state: ModelState, done: bigint): boolean {
    const key = `${done} ${keyOf(state)}`;
    const before = this.#explored.get(key) ?? [];
    const times = timesOf(state);
    if (before.some((other) => other.every((ms, index) => ms <= (times[index] ?? ms)))) return true;
    this.#explored.set(key, [...before, times]);
    return false;
  }

  #count(): void {
    this.#steps += 1;
    if (this.#steps > this.#options.maxSteps) throw new TooLong();
  }
}

/** Whether the operation changes nothing in any state that could follow and in which it has this answer. */
function onlyObserves({ request, answer }: Operation, { holder, spent }: ModelState): boolean {
  if (!answer) return false;
  if (request.kind === 'told') return true;
  const isClaimed = (token: number | undefined) => holder?.token === token && holder?.isClaimed === true;
  if (request.kind === 'renew')
    return request.held.every(({ token }) => isClaimed(token) || spent.some((one) => one.token === token));
  if (answer.kind === 'granted') return isClaimed(answer.token);
  return unchanging.has(answer.kind);
}

const unchanging = new Set<string>(['conflict', 'not-holder', 'unknown-session', 'refused']);

function byReturn(one: Operation, other: Operation): number {
  return one.returnedMs < other.returnedMs ? -1 : Number(one.returnedMs > other.returnedMs);
}
