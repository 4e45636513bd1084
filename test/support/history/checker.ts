import { describeOperation } from './describe.ts';
import type { Operation, ResourceHistory, ServerTimes } from './operations.ts';
import { search } from './search.ts';

export interface CheckOptions {
  readonly times: ServerTimes;
  /** Steps of one search before it gives up. Default 200,000. */
  readonly maxSteps?: number;
}

export type Verdict =
  | { readonly kind: 'explained' }
  /** Without this operation and all that was answered later, the history can be explained. */
  | { readonly kind: 'unexplained'; readonly operation: Operation; readonly explanation: string }
  | { readonly kind: 'too long' };

/**
 * Decides whether there is an order of the operations on one resource in one domain that explains what the clients saw.
 *
 * The order keeps to real time: an operation that was answered before another was called comes first. In between the
 * server may do what it may do by itself (`server-steps.ts`), where the history excuses it: whoever was heard of in
 * time loses nothing. An operation without an answer may have happened at any time since its call, or never. The model
 * (`model.ts`) is deterministic but for that, so an order exists only if
 *
 * - never two hold the lock: a second grant comes after the first was released, or lost with an excuse;
 * - tokens rise from grant to grant;
 * - grants follow the queue, and the queue the order of the requests, with the positions that were told;
 * - `skip` comes after a pull succeeded (or, for a delete, while it waited), before a delete or the end of the record;
 * - `released` answers the holder, or a repetition of what it said before; strangers and flipped outcomes are refused;
 * - no place and no hold that was acknowledged is gone without an excuse. A server that keeps its state has none in a
 *   restart. Of one that forgets, the restart is part of the history: holds come back by heartbeats that list them,
 *   places by their positions, and nothing else is granted until it has recovered;
 * - a session that is lost gets no answer but that, until it is opened again.
 *
 * Each resource is judged by itself, so a session may be lost here and live there. Repeated releases and answered
 * deletes never expire: a history is shorter than ten minutes.
 */
export function checkResource(history: ResourceHistory, options: CheckOptions): Verdict {
  const { times, maxSteps = 200_000 } = options;
  const result = search(history, { times, maxSteps });
  if (result === 'explained') return { kind: 'explained' };
  if (result === 'too long') return { kind: 'too long' };
  const operation = firstUnexplained(history, { times, maxSteps });
  return operation === 'too long' ? { kind: 'too long' } : explain(history, operation, times, maxSteps);
}

/** What is explained stays so without its end, so the first answer that cannot be explained can be searched for. */
function firstUnexplained(
  history: ResourceHistory,
  limits: { readonly times: ServerTimes; readonly maxSteps: number },
): Operation | 'too long' {
  const answered = history.operations
    .filter(({ answer }) => answer)
    .sort((one, other) => one.returnedMs - other.returnedMs);
  let [good, bad] = [0, answered.length];
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    const result = search(until(history, answered[middle - 1]), limits);
    if (result === 'too long') return 'too long';
    if (result === 'explained') good = middle;
    else bad = middle;
  }
  const found = answered[bad - 1];
  if (!found) throw new Error(`${history.name}: an empty history has nothing unexplained`);
  return found;
}

/** The history as it was known when this answer came. */
function until(history: ResourceHistory, last: Operation | undefined): ResourceHistory {
  const endMs = last?.returnedMs ?? Number.NEGATIVE_INFINITY;
  const operations = history.operations.flatMap((operation): Operation[] => {
    if (operation.returnedMs <= endMs) return [operation];
    if (operation.calledMs > endMs || operation.request.kind === 'told') return [];
    const { answer: _, ...unanswered } = operation;
    return [{ ...unanswered, returnedMs: Number.POSITIVE_INFINITY }];
  });
  return { ...history, operations };
}

function explain(
  history: ResourceHistory,
  operation: Operation,
  times: ServerTimes,
  maxSteps: number,
): Verdict {
  const problems = new Set<string>();
  const onProblem = ({ id }: Operation, problem: string) => {
    if (id === operation.id && problems.size < 5) problems.add(problem);
  };
  const known = until(history, operation);
  search(known, { times, maxSteps, onProblem });
  const lines = known.operations
    .toSorted((one, other) => one.calledMs - other.calledMs)
    .map((one) => `  ${describeOperation(one)}`);
  const explanation = [
    `${history.name}: no order explains ${describeOperation(operation)}`,
    ...(problems.size > 0
      ? [...problems].map((problem) => `  ${problem}`)
      : ['  its time was over before it could happen']),
    'known until then:',
    ...lines,
  ].join('\n');
  return { kind: 'unexplained', operation, explanation };
}
