import { Metadata } from '@grpc/grpc-js';
import type { EtcdOptions } from './etcd.ts';

/** Asks a member for a token; undefined where etcd has no users. */
export type Authenticate = (name: string, password: string) => Promise<string | undefined>;

/**
 * Says with every call who we are, and that only a member with a leader is of use: without one it answers at once that
 * it has none, and ends streams.
 *
 * etcd's tokens are over after five minutes without use, on each member for itself: one that is refused is renewed.
 */
export class Tokens {
  readonly #user: EtcdOptions['user'];
  #metadata: Promise<Metadata> | undefined;

  constructor(user: EtcdOptions['user']) {
    this.#user = user;
  }

  /** @throws what `authenticate` throws */
  async metadata(authenticate: Authenticate): Promise<Metadata> {
    const asked = this.#metadata ?? this.#authenticate(authenticate);
    this.#metadata = asked;
    try {
      return await asked;
    } catch (error) {
      this.#forget(asked);
      throw error;
    }
  }

  /** These were refused. Others that came since are kept. */
  async refused(metadata: Metadata): Promise<void> {
    const current = this.#metadata;
    if (current && (await current.catch(() => undefined)) === metadata) this.#forget(current);
  }

  #forget(asked: Promise<Metadata>): void {
    if (this.#metadata === asked) this.#metadata = undefined;
  }

  async #authenticate(authenticate: Authenticate): Promise<Metadata> {
    const metadata = new Metadata();
    metadata.set('hasleader', 'true');
    if (!this.#user) return metadata;
    const token = await authenticate(this.#user.name, this.#user.password);
    if (token !== undefined) metadata.set('token', token);
    return metadata;
  }
}
