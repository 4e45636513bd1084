import type { Operation, Request, ResourceHistory } from './operations.ts';

interface Seen {
  readonly token: number;
  readonly text: string;
  /** It was not granted before this time, and not after that: milliseconds. */
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * Tokens never repeat and rise over all resources: one that was told before another could be granted is lower. Answers
 * with what contradicts that.
 */
export function checkTokens(histories: readonly ResourceHistory[]): readonly string[] {
  const seen = histories.flatMap(tokensOf);
  const owners = new Map<number, string>();
  const repeated = seen.flatMap(({ token, text }) => {
    const owner = owners.get(token) ?? text;
    owners.set(token, owner);
    return owner === text ? [] : [`token ${token} went to ${owner} and to ${text}`];
  });
  return [...repeated, ...fallen(seen)];
}

/** Of all that were told before a grant was even asked for, the highest must be lower. */
function fallen(seen: readonly Seen[]): string[] {
  const told = seen.toSorted((one, other) => one.toMs - other.toMs);
  const problems: string[] = [];
  let highest: Seen | undefined;
  let next = 0;
  for (const one of seen.toSorted((a, b) => a.fromMs - b.fromMs)) {
    for (let before = told[next]; before && before.toMs < one.fromMs; before = told[++next])
      if (before.token > (highest?.token ?? 0)) highest = before;
    if (highest && highest.token >= one.token && highest.text !== one.text)
      problems.push(
        `token ${one.token} of ${one.text} was granted after token ${highest.token} of ${highest.text}`,
      );
  }
  return problems;
}

/** A token that answers somebody's first request was not granted before that; of others that is not known. */
function tokensOf({ name, operations }: ResourceHistory): Seen[] {
  const firstRequests = new Map<string, Operation>();
  for (const operation of operations.toSorted((one, other) => one.calledMs - other.calledMs)) {
    const { who, request } = operation;
    if (request.kind === 'acquire' && !firstRequests.has(who)) firstRequests.set(who, operation);
  }
  return operations.flatMap((operation) => {
    const { who, request, returnedMs } = operation;
    const token = tokenOf(operation);
    if (token === undefined) return [];
    const first = firstRequests.get(who);
    const isFirst = first && requestIdOf(request) === requestIdOf(first.request);
    const fromMs = isFirst ? first.calledMs : Number.NEGATIVE_INFINITY;
    return [{ token, text: `${who} on ${name}`, fromMs, toMs: returnedMs }];
  });
}

function requestIdOf(request: Request): string | undefined {
  return request.kind === 'acquire' ? request.requestId : undefined;
}

function tokenOf({ request, answer }: Operation): number | undefined {
  if (answer?.kind === 'granted') return answer.token;
  return request.kind === 'told' && request.news.kind === 'granted' ? request.news.token : undefined;
}
