import { systemClock } from '../../../src/core/clock.ts';
import type { Digest } from '../../../src/core/digest.ts';
import { isLayerpullError } from '../../../src/core/errors.ts';
import { absenceOf } from './absences.ts';
import type { Answer, Identity, Operation, Request, ResourceHistory, ServerTimes } from './operations.ts';

export interface Member {
  readonly who: Identity;
  /** The store that its session shares, or `default`. */
  readonly domain: string;
}

/** What is called, and how its reply reads. */
export interface Call<Reply> {
  /** Undefined where it concerns all resources. */
  readonly about?: Digest;
  readonly request: (resourceId: Digest) => Request;
  readonly answer: (reply: Reply, resourceId: Digest) => Answer;
}

interface Entry extends Member {
  readonly about: Digest | undefined;
  readonly calledMs: number;
  readonly returnedMs: number;
  readonly part: (resourceId: Digest) => { readonly request: Request; readonly answer?: Answer };
}

/** What came of a call: a reply, that the session is not known, or nothing. */
export type Outcome<Reply> =
  | { readonly kind: 'answered'; readonly reply: Reply }
  | { readonly kind: 'unknown-session' }
  | { readonly kind: 'no answer' };

/** Collects what clients do and see, as it happens, by one clock. */
export class Recorder {
  readonly #entries: Entry[] = [];
  readonly #cuts = new Map<Identity, number[]>();

  /** Milliseconds. */
  now(): number {
    return systemClock.now();
  }

  /**
   * Runs a call and notes what came of it. A server that cannot be reached gives no answer.
   * @throws what else went wrong: the server must not answer like that
   */
  async call<Reply>(member: Member, call: Call<Reply>, work: () => Promise<Reply>): Promise<Outcome<Reply>> {
    const calledMs = this.now();
    const note = (outcome: Outcome<Reply>) => {
      const returnedMs = outcome.kind === 'no answer' ? Number.POSITIVE_INFINITY : this.now();
      const part = partOf(call, outcome);
      this.#entries.push({ ...member, about: call.about, calledMs, returnedMs, part });
    };
    try {
      const outcome = await outcomeOf(work);
      note(outcome);
      return outcome;
    } catch (error) {
      // A client that is stopped may have been heard all the same.
      note({ kind: 'no answer' });
      throw error;
    }
  }

  /** Restarts a server that forgets all: every resource is concerned. */
  async restart(domains: readonly string[], work: () => Promise<void>): Promise<void> {
    const calledMs = this.now();
    await work();
    const returnedMs = this.now();
    for (const domain of domains)
      this.#entries.push({
        who: theServer,
        domain,
        about: undefined,
        calledMs,
        returnedMs,
        part: restartPart,
      });
  }

  /** Notes what a stream brought that was opened at `openedMs`. */
  told(member: Member, openedMs: number, { about, request }: Omit<Call<void>, 'answer'>): void {
    const part = (resourceId: Digest) => ({ request: request(resourceId), answer: done });
    this.#entries.push({ ...member, about, calledMs: openedMs, returnedMs: this.now(), part });
  }

  /** Notes, before it happens, that a connection of this client ends. */
  cut(who: Identity): void {
    this.#cuts.set(who, [...(this.#cuts.get(who) ?? []), this.now()]);
  }

  /** All that somebody asked for. */
  resources(): readonly { readonly domain: string; readonly resourceId: Digest }[] {
    const found = this.#entries.flatMap(({ domain, about }) =>
      about ? [[`${domain} ${about}`, { domain, resourceId: about }] as const] : [],
    );
    return [...new Map(found).values()];
  }

  /** What happened to one resource in one domain. */
  historyOf(domain: string, resourceId: Digest, times: ServerTimes): ResourceHistory {
    const inDomain = [...this.#entries.entries()].filter(([, entry]) => entry.domain === domain);
    const isInvolved = new Set(inDomain.flatMap(([, { about, who }]) => (about === resourceId ? [who] : [])));
    isInvolved.add(theServer);
    const operations = inDomain.flatMap(([id, entry]) => {
      const concerns = entry.about === undefined || entry.about === resourceId;
      const operation = operationOf(id, entry, resourceId);
      return concerns && isInvolved.has(entry.who) && !isWithoutTrace(operation) ? [operation] : [];
    });
    const absences = [...isInvolved].map((who) => [who, this.#absenceOf(who, operations, times)] as const);
    return {
      name: `${resourceId.slice(0, 15)} in ${domain}`,
      operations,
      absences: new Map(absences),
    };
  }

  #absenceOf(who: Identity, onResource: readonly Operation[], times: ServerTimes) {
    const own = [...this.#entries.entries()].filter(([, entry]) => entry.who === who);
    const operations = own.map(([id, entry]) => operationOf(id, entry, entry.about ?? anyResource));
    const asked = onResource.filter((operation) => operation.who === who);
    return absenceOf({ who, operations, cutsMs: this.#cuts.get(who) ?? [] }, asked, times);
  }
}

const done: Answer = { kind: 'done' };
const theServer: Identity = 'the server';
const restartPart: Entry['part'] = () => ({ request: { kind: 'restart' }, answer: done });
/** What concerns all resources reads alike for each as a sign of life. */
const anyResource = '' as Digest;

/** A heartbeat that claims nothing and was not answered: nobody can tell whether it happened. */
function isWithoutTrace({ request, answer }: Operation): boolean {
  return !answer && request.kind === 'renew' && request.held.length === 0;
}

function operationOf(id: number, entry: Entry, resourceId: Digest): Operation {
  const { who, calledMs, returnedMs, part } = entry;
  return { id, who, calledMs, returnedMs, ...part(resourceId) };
}

async function outcomeOf<Reply>(work: () => Promise<Reply>): Promise<Outcome<Reply>> {
  try {
    return { kind: 'answered', reply: await work() };
  } catch (error) {
    if (isLayerpullError(error) && error.code === 'session_unknown') return { kind: 'unknown-session' };
    if (isLayerpullError(error) && error.code === 'lock_unreachable') return { kind: 'no answer' };
    throw error;
  }
}

function partOf<Reply>(call: Call<Reply>, outcome: Outcome<Reply>): Entry['part'] {
  return (resourceId) => {
    const request = call.request(resourceId);
    if (outcome.kind === 'no answer') return { request };
    if (outcome.kind === 'unknown-session') return { request, answer: outcome };
    return { request, answer: call.answer(outcome.reply, resourceId) };
  };
}
