import { abortable, withDeadline } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import { isLayerpullError, messageOf } from '../core/errors.ts';
import type { NodeId, SessionId, Token } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import { pauseBefore } from '../core/retry.ts';
import type { AcquireReply, Locks, Outcome, ResourceRequest, SourceReply, SourceRequest } from './locks.ts';
import type { Key } from './session-book.ts';
import type { SessionLink } from './session-link.ts';
import { isUnknownSession, type Silence } from './session-link-parts.ts';
import type { PendingRequest } from './session-places.ts';

export interface CallParts {
  readonly locks: Locks;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly nodeId: NodeId;
  readonly sessionId: SessionId;
  readonly link: SessionLink;
  readonly silence: Silence;
  /** Milliseconds until a server that does not answer is out of reach. */
  readonly outOfReachMs: number;
}

/** Between two tries to reach a server that went away, with jitter: short enough to find the next one at once. */
const retryMs = 300;
/** What may be left unsaid is said in this many milliseconds or not at all. */
const lastWordMs = 1_000;
/** Bytes that have no source wait for this many milliseconds at most; then the registry is one. */
const sourceMs = 3_000;

/** What one session asks of its server and tells it, over restarts and moves of the server. */
export class SessionCalls {
  readonly #parts: CallParts;
  /** Declines that are under way: what comes after one must not be overtaken by it. */
  readonly #declining = new Map<string, Promise<void>>();

  /** When a question for a source was asked that had no answer. */
  #unansweredMs = Number.NEGATIVE_INFINITY;

  constructor(parts: CallParts) {
    this.#parts = parts;
  }

  /** Asks until there is an answer, for as long as the bounds allow. */
  async ask(pending: PendingRequest, signal: AbortSignal): Promise<AcquireReply> {
    const ended = AbortSignal.any([signal, this.#parts.link.closed]);
    const declining = this.#declining.get(nameOf(pending.request));
    if (declining) await abortable(declining, ended);
    return await this.#untilReached(ended, (attempt) =>
      this.#asKnownSession(() => this.#askOnce(pending, attempt)),
    );
  }

  /** The same where the session was opened again just now. */
  async askForPlace(pending: PendingRequest): Promise<AcquireReply> {
    return await this.#untilReached(this.#parts.link.closed, (attempt) => this.#askOnce(pending, attempt));
  }

  /**
   * Asks where a holder reads on. Undefined: the server cannot be asked; from then on nobody waits for it again before
   * it answers a heartbeat. Throws only the reason of `signal`.
   */
  async source(
    request: Omit<SourceRequest, 'sessionId'>,
    signal: AbortSignal,
  ): Promise<SourceReply | undefined> {
    const { locks, link, clock, log, sessionId } = this.#parts;
    if (!link.isOnline || !link.isHeardSince(this.#unansweredMs)) return undefined;
    const askedMs = clock.now();
    const ended = AbortSignal.any([signal, link.closed]);
    try {
      return await this.#within(sourceMs, ended, (attempt) =>
        this.#asKnownSession(() => locks.sources({ sessionId, ...request }, attempt)),
      );
    } catch (error) {
      signal.throwIfAborted();
      this.#unansweredMs = askedMs;
      log.info({ resource: request.resourceId }, `no source from the lock server: ${messageOf(error)}`);
      return undefined;
    }
  }

  /**
   * Never throws: what could not be told ends with the session.
   *
   * @param isAwaited others wait for it, so it is told even while the session is closed
   */
  async release(key: Key, token: Token, outcome: Outcome, isAwaited: boolean): Promise<void> {
    const { locks, log, link } = this.#parts;
    const ended = isAwaited ? undefined : link.closed;
    const release = { ...this.#identify(key), token, outcome };
    const tell = (attempt: AbortSignal) => locks.release(release, attempt);
    try {
      // Others wait for a success; a failure ends with the session too, and must not hold up an interrupted pull.
      const reply = outcome.success
        ? await this.#untilReached(ended, (attempt) => this.#asKnownSession(() => tell(attempt)))
        : await this.#within(lastWordMs, undefined, tell);
      if (reply.kind !== 'released') log.debug({ ...release, reply }, 'release was not accepted');
    } catch (error) {
      log.debug({ resource: key.resourceId, error }, 'release could not be told');
    }
  }

  /**
   * Waits for what is told to the server, but not for a server that is out of reach: that goes on by itself, in vain or
   * not. Never throws.
   */
  async unlessOutOfReach(telling: Promise<void>): Promise<void> {
    const ms = this.#parts.link.isInContact ? lastWordMs : 0;
    await this.#within(ms, this.#parts.link.closed, () => telling).catch(() => {});
  }

  /** Gives up a grant, or without a token whatever the session has there. Never throws. */
  async decline(key: Key, token?: Token): Promise<void> {
    const name = nameOf(key);
    const known = this.#declining.get(name);
    if (known) return await known;
    if (!this.#parts.link.isOnline) return;
    const telling = this.#tellDecline(key, token).finally(() => this.#declining.delete(name));
    this.#declining.set(name, telling);
    await telling;
  }

  async #tellDecline(key: Key, token: Token | undefined): Promise<void> {
    const decline = { ...this.#identify(key), ...(token === undefined ? {} : { token }) };
    await this.#within(lastWordMs, undefined, (signal) => this.#parts.locks.decline(decline, signal)).catch(
      () => {},
    );
  }

  #askOnce({ request, requestId, position }: PendingRequest, signal: AbortSignal): Promise<AcquireReply> {
    const { total: _, ...rest } = request;
    const place = position > 0 ? { position } : {};
    return this.#parts.locks.acquire({ ...this.#identify(request), ...rest, requestId, ...place }, signal);
  }

  #identify({ type, resourceId }: Key): ResourceRequest {
    const { nodeId, sessionId } = this.#parts;
    return { type, resourceId, nodeId, sessionId };
  }

  /** A server that does not know the session gets to know it, with all that it holds. */
  async #asKnownSession<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isUnknownSession(error)) throw error;
      await this.#parts.link.reopen();
      return await work();
    }
  }

  async #untilReached<T>(
    signal: AbortSignal | undefined,
    work: (attempt: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { outOfReachMs } = this.#parts;
    return await this.#within(outOfReachMs, signal, (attempt) => this.#retry(work, attempt));
  }

  async #retry<T>(work: (attempt: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { clock, random } = this.#parts;
    for (;;) {
      signal.throwIfAborted();
      try {
        return await work(signal);
      } catch (error) {
        if (!isLayerpullError(error) || error.code !== 'lock_unreachable') throw error;
        await clock.sleep(pauseBefore(0, { delayMs: retryMs, random }), signal);
      }
    }
  }

  async #within<T>(
    ms: number,
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { clock, silence } = this.#parts;
    return await withDeadline(clock, ms, signal, () => silence(ms), work);
  }
}

function nameOf({ type, resourceId }: Key): string {
  return `${type} ${resourceId}`;
}
