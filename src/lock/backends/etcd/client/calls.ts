import type { ClientDuplexStream, Metadata } from '@grpc/grpc-js';
import type { Clock } from '../../../../core/clock.ts';
import { LayerpullError } from '../../../../core/errors.ts';
import { Access, type AccessOptions } from './access.ts';
import { deniedError, failureOf } from './failures.ts';
import type { Member } from './member.ts';
import type { Members } from './members.ts';
import type { EtcdMethods, Method } from './methods.ts';
import { ask } from './unary.ts';
import { uncertainError, unreachableError } from './unreachable.ts';

export interface CallOptions {
  /** Whether it may be done twice. Default: no: once its fate is unknown it fails. */
  readonly isRepeatable?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for one member. Default: `callMs`. */
  readonly ms?: number | undefined;
}

/** A stream to one member. */
export interface EtcdStream<Request, Reply> {
  readonly stream: ClientDuplexStream<Request, Reply>;
  readonly member: Member;
  /** With which it was opened. */
  readonly metadata: Metadata;
}

/** Every member is asked so often at most, … */
const maxRounds = 4;
/** … with a pause of so many milliseconds between the first two rounds, and twice as many each time. */
const firstPauseMs = 100;

/** Calls to whichever member answers. */
export class Calls {
  readonly methods: EtcdMethods;
  readonly access: Access;
  readonly clock: Clock;
  readonly callMs: number;
  readonly #members: Members;
  readonly #cancels = new Set<() => void>();
  #isClosed = false;

  constructor(members: Members, options: AccessOptions) {
    this.methods = options.methods;
    this.clock = options.clock;
    this.callMs = options.callMs;
    this.access = new Access(options);
    this.#members = members;
  }

  /** @throws LayerpullError `etcd_unreachable`, `etcd_denied`, `etcd_failed`; EtcdCompacted */
  async call<Request, Reply>(
    method: Method<Request, Reply>,
    request: Request,
    { isRepeatable = false, signal, ms = this.callMs }: CallOptions = {},
  ): Promise<Reply> {
    const { clock } = this;
    return await this.#tour(isRepeatable, signal, async (member) => {
      return await this.access.enter(member, signal, (metadata) =>
        ask(member.client, method, request, { metadata, clock, ms, signal }),
      );
    });
  }

  /** A stream to a member that is there. Whoever reads it tells `streamError` how it broke. */
  async open<Request, Reply>(
    { path, requestSerialize, responseDeserialize }: Method<Request, Reply>,
    signal?: AbortSignal,
  ): Promise<EtcdStream<Request, Reply>> {
    return await this.#tour(true, signal, async (member) => {
      return await this.access.enter(member, signal, (metadata) => {
        const stream = member.client.makeBidiStreamRequest(
          path,
          requestSerialize,
          responseDeserialize,
          metadata,
        );
        const cancel = () => stream.cancel();
        this.#cancels.add(cancel);
        // Whoever reads hears of errors too; they may come when nobody reads any more.
        stream.on('error', () => {}).once('status', () => this.#cancels.delete(cancel));
        return { stream, member, metadata };
      });
    });
  }

  /** What the end of a stream means; its member is not asked next. */
  streamError(member: Member, cause: unknown): Error {
    const failure = failureOf(cause, this.access.askedOf(member));
    if (failure.kind === 'final') return failure.error;
    this.#leave(member, failure.kind !== 'stale-token' && failure.isSilent);
    const message = `the connection to etcd at ${member.address} broke: ${failure.problem}`;
    return new LayerpullError('etcd_unreachable', message, { cause });
  }

  /** Ends all streams. What is called from here on fails. */
  close(): void {
    this.#isClosed = true;
    for (const cancel of this.#cancels) cancel();
    this.#members.close();
  }

  async #tour<T>(
    isRepeatable: boolean,
    signal: AbortSignal | undefined,
    visit: (member: Member) => Promise<T>,
  ): Promise<T> {
    const problems = new Map<string, string>();
    const endMs = this.clock.now() + this.callMs * (this.#members.all.length + 1);
    for (let round = 0; round < maxRounds; round += 1) {
      if (round > 0) await this.clock.sleep(firstPauseMs * 2 ** (round - 1), signal);
      for (const member of this.#members.inTurn()) {
        signal?.throwIfAborted();
        if (this.#isClosed) throw new LayerpullError('etcd_unreachable', 'the client of etcd is closed');
        try {
          return await visit(member);
        } catch (error) {
          if (signal?.aborted) throw signal.reason;
          problems.set(member.address, this.#problemAt(member, error, isRepeatable));
        }
        if (this.clock.now() >= endMs) throw unreachableError(problems);
      }
    }
    throw unreachableError(problems);
  }

  /** @throws what ends the tour */
  #problemAt(member: Member, error: unknown, isRepeatable: boolean): string {
    const asked = this.access.askedOf(member);
    const failure = failureOf(error, asked);
    if (failure.kind === 'final') throw failure.error;
    if (failure.kind === 'stale-token') throw deniedError(asked, failure.problem);
    this.#leave(member, failure.isSilent);
    if (failure.kind === 'unknown' && !isRepeatable)
      throw uncertainError(member.address, failure.problem, error);
    return failure.problem;
  }

  #leave(member: Member, isSilent: boolean): void {
    this.#members.leave(member);
    if (isSilent) member.disconnect();
  }
}
