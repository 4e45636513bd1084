import { Metadata, status } from '@grpc/grpc-js';
import { abortable } from '../../../../core/abort.ts';
import type { Clock } from '../../../../core/clock.ts';
import { type Asked, failureOf, isServiceError, NotSent, problemOf, Silence } from './failures.ts';
import type { Member } from './member.ts';
import type { EtcdMethods } from './methods.ts';
import { Tokens } from './tokens.ts';
import { ask } from './unary.ts';

export interface AccessOptions {
  readonly methods: EtcdMethods;
  readonly clock: Clock;
  readonly callMs: number;
  readonly prefix: string;
  readonly user: { readonly name: string; readonly password: string } | undefined;
}

/** Lets calls in: over a connection that is up, with a token that is accepted. */
export class Access {
  readonly #options: AccessOptions;
  readonly #tokens: Tokens;
  readonly #connecting = new Map<Member, Promise<void>>();

  constructor(options: AccessOptions) {
    this.#options = options;
    this.#tokens = new Tokens(options.user);
  }

  /**
   * Does `work` with what goes along with its call; once more where the token was over. @throws NotSent when it never
   * came to `work`
   */
  async enter<T>(
    member: Member,
    signal: AbortSignal | undefined,
    work: (metadata: Metadata) => Promise<T> | T,
  ): Promise<T> {
    if (!member.isConnected) await within(this.#connect(member), signal);
    const metadata = await within(this.#metadata(member), signal);
    try {
      return await work(metadata);
    } catch (error) {
      if (signal?.aborted || !this.#isStaleToken(error, member)) throw error;
    }
    await this.refused(metadata);
    return await work(await within(this.#metadata(member), signal));
  }

  /** The token was not accepted: the next one who enters gets another. */
  async refused(metadata: Metadata): Promise<void> {
    await this.#tokens.refused(metadata);
  }

  askedOf(member: Member): Asked {
    return { address: member.address, userName: this.#options.user?.name, prefix: this.#options.prefix };
  }

  #isStaleToken(error: unknown, member: Member): boolean {
    return isServiceError(error) && failureOf(error, this.askedOf(member)).kind === 'stale-token';
  }

  /** One attempt for all who wait. */
  #connect(member: Member): Promise<void> {
    const underWay = this.#connecting.get(member);
    if (underWay) return underWay;
    const attempt = this.#greet(member).finally(() => this.#connecting.delete(member));
    this.#connecting.set(member, attempt);
    return attempt;
  }

  /**
   * Reads a key, which harms nobody, so that what fails for want of a connection surely was not sent. Any answer will do:
   * somebody is there.
   */
  async #greet(member: Member): Promise<void> {
    const { methods, prefix, clock, callMs } = this.#options;
    const request = { key: Buffer.from(prefix || '\0'), serializable: true, keysOnly: true };
    const options = { metadata: new Metadata(), clock, ms: callMs, signal: undefined };
    try {
      await ask(member.client, methods.range, request, options);
    } catch (error) {
      if (error instanceof Silence) throw new NotSent(error.message, true);
      if (!isServiceError(error)) throw error;
      const isFromEtcd = error.details.startsWith('etcdserver: ');
      if (error.code === status.UNAVAILABLE && !isFromEtcd) throw new NotSent(problemOf(error), false);
    }
  }

  #metadata(member: Member): Promise<Metadata> {
    return this.#tokens.metadata((name, password) => this.#authenticate(member, name, password));
  }

  async #authenticate(member: Member, name: string, password: string): Promise<string | undefined> {
    const { methods, clock, callMs } = this.#options;
    const options = { metadata: new Metadata(), clock, ms: callMs, signal: undefined };
    try {
      return (await ask(member.client, methods.authenticate, { name, password }, options)).token;
    } catch (error) {
      if (isServiceError(error) && error.details.includes('authentication is not enabled')) return undefined;
      const failure = failureOf(error, this.askedOf(member));
      if (failure.kind === 'final') throw failure.error;
      throw new NotSent(failure.problem, failure.kind === 'unknown' && failure.isSilent);
    }
  }
}

async function within<T>(shared: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return await (signal ? abortable(shared, signal) : shared);
}
