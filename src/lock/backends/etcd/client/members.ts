import type { EtcdOptions } from './etcd.ts';
import { Member } from './member.ts';

/** The members of the cluster, one of which is asked until it fails. */
export class Members {
  readonly all: readonly Member[];
  #current: number;

  constructor({ endpoints, tls, random = Math.random }: Pick<EtcdOptions, 'endpoints' | 'tls' | 'random'>) {
    this.all = endpoints.map((address) => new Member(address, tls));
    this.#current = Math.floor(random() * this.all.length);
  }

  /** All of them, the one to ask first. */
  inTurn(): readonly Member[] {
    return [...this.all.slice(this.#current), ...this.all.slice(0, this.#current)];
  }

  /** It failed: the next one is asked from here on, unless that was decided already. */
  leave(member: Member): void {
    if (this.all[this.#current] === member) this.#current = (this.#current + 1) % this.all.length;
  }

  close(): void {
    for (const member of this.all) member.disconnect();
  }
}
