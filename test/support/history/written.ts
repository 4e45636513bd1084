import type { OperationType } from '../../../src/lock/locks.ts';
import { absenceOf } from './absences.ts';
import { isSession } from './model-state.ts';
import {
  type Answer,
  type Ended,
  type Identity,
  type News,
  type Operation,
  type Request,
  type ResourceHistory,
  type ServerTimes,
  serverTimes,
} from './operations.ts';

/** Times of hand-written histories: sessions last 15 s. */
export const writtenTimes: ServerTimes = serverTimes(15_000);

/** A line of a hand-written history. */
export type Line = Omit<Operation, 'id'>;

/** From when to when, in milliseconds; a single number is a call without an answer. */
type When = readonly [number, number] | number;

/** `a` is a session of that name; names in capitals are nodes without a session. */
const identity = (name: string): Identity => (/^[A-Z]/.test(name) ? `node ${name}` : `session ${name}`);

function note(name: string, when: When, request: Request, answer?: Answer): Line {
  const [calledMs, returnedMs] = typeof when === 'number' ? [when, Number.POSITIVE_INFINITY] : when;
  const isAnswered = returnedMs < Number.POSITIVE_INFINITY && answer !== undefined;
  return { who: identity(name), calledMs, returnedMs, request, ...(isAnswered ? { answer } : {}) };
}

/** The server was killed, and one runs again that knows nothing. */
export const restart = (calledMs: number, returnedMs: number): Line => ({
  ...{ who: 'the server', calledMs, returnedMs },
  ...{ request: { kind: 'restart' }, answer: { kind: 'done' } },
});

interface AcquireMore {
  readonly type?: OperationType;
  readonly requestId?: string;
  readonly force?: boolean;
  readonly position?: number;
}

export const acquire = (name: string, when: When, answer?: Answer, more: AcquireMore = {}): Line => {
  const { type = 'pull', requestId = `of ${name}`, force = false, position } = more;
  return note(name, when, { kind: 'acquire', type, requestId, force, position }, answer);
};

export const release = (
  name: string,
  when: When,
  answer: Answer['kind'] | undefined,
  token: number | undefined,
  ended: Ended = 'success',
  type: OperationType = 'pull',
): Line => note(name, when, { kind: 'release', type, token, ended }, plain(answer));

export const decline = (name: string, when: When, answer: Answer['kind'] | undefined, token?: number): Line =>
  note(name, when, { kind: 'decline', type: 'pull', token }, plain(answer));

export const renew = (name: string, when: When, held: readonly number[], answer?: Answer): Line =>
  note(name, when, { kind: 'renew', held: held.map((token) => ({ type: 'pull', token })) }, answer);

export const open = (name: string, when: When): Line => note(name, when, { kind: 'open' }, { kind: 'done' });
export const close = (name: string, when: When): Line =>
  note(name, when, { kind: 'close' }, { kind: 'done' });

export const told = (name: string, when: readonly [number, number], news: News): Line =>
  note(name, when, { kind: 'told', news }, { kind: 'done' });

function plain(kind: Answer['kind'] | undefined): Answer | undefined {
  if (kind === undefined || kind === 'granted' || kind === 'queued' || kind === 'standing') return undefined;
  return { kind };
}

export const granted = (token: number): Answer => ({ kind: 'granted', token });
export const skip: Answer = { kind: 'skip' };
export const refused: Answer = { kind: 'refused' };
export const unknownSession: Answer = { kind: 'unknown-session' };
export const queued = (position: number, holder?: string): Answer => ({
  kind: 'queued',
  position,
  holder: holder && identity(holder),
});
export const holds = (token: number): Answer => ({
  kind: 'standing',
  standing: { granted: [{ type: 'pull', token }], queued: [] },
});
export const waits = (position: number, holder: string): Answer => ({
  kind: 'standing',
  standing: { granted: [], queued: [{ type: 'pull', position, holder: identity(holder) }] },
});
export const nothing: Answer = { kind: 'standing', standing: { granted: [], queued: [] } };

export interface WrittenMore {
  /** When the stream of a session, or the connection of a node, broke: milliseconds. */
  readonly cuts?: Readonly<Record<string, readonly number[]>>;
}

/** The history of one resource. A session that does not begin with being opened was opened at 0. */
export function written(lines: readonly Line[], { cuts = {} }: WrittenMore = {}): ResourceHistory {
  const names = new Set(lines.map(({ who }) => who));
  const opens = [...names]
    .filter((who) => isSession(who) && lines.find((one) => one.who === who)?.request.kind !== 'open')
    .map(openAtStart);
  const operations = [...opens, ...lines].map((one, index) => ({ ...one, id: index + 1 }));
  const cutsOf = (who: Identity) => Object.entries(cuts).find(([name]) => identity(name) === who)?.[1] ?? [];
  const absences = [...names].map((who) => {
    const own = operations.filter((operation) => operation.who === who);
    return [who, absenceOf({ who, operations: own, cutsMs: cutsOf(who) }, own, writtenTimes)] as const;
  });
  return { name: 'layer', operations, absences: new Map(absences) };
}

const openAtStart = (who: Identity): Line => ({
  ...{ who, calledMs: 0, returnedMs: 1 },
  ...{ request: { kind: 'open' }, answer: { kind: 'done' } },
});

/** A holds the lock, b and c wait behind it. */
export const line: readonly Line[] = [
  acquire('a', [10, 11], granted(1)),
  acquire('b', [20, 21], queued(1, 'a')),
  acquire('c', [30, 31], queued(2, 'a')),
];

/** The same after a restart that left nothing: all are back, the last one first. */
export const backInLine: readonly Line[] = [
  ...line,
  restart(100, 200),
  ...['a', 'b', 'c'].map((name, index) => open(name, [210 + index, 211 + index])),
  acquire('c', [230, 231], queued(2), { position: 2 }),
  acquire('b', [240, 241], queued(1), { position: 1 }),
  renew('a', [250, 251], [1], holds(1)),
];
