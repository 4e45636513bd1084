import type { EtcdChange, EtcdChanges } from './etcd.ts';
import type { Keys } from './keys.ts';
import type { EventMessage, WatchReply } from './messages.ts';

/** Puts the changes of one revision together where etcd cut them over several replies. */
export class WholeRevisions {
  readonly #keys: Keys;
  /** Of a revision of which more is to come. */
  #held: EventMessage[] = [];

  constructor(keys: Keys) {
    this.#keys = keys;
  }

  /** The revisions that are whole with this reply, if any are. */
  add({ events, fragment }: WatchReply): EtcdChanges | undefined {
    const all = this.#held.length > 0 ? [...this.#held, ...events] : events;
    const last = all.at(-1)?.kv.modRevision;
    const whole = fragment ? all.filter(({ kv }) => kv.modRevision !== last) : all;
    this.#held = fragment ? all.slice(whole.length) : [];
    const revision = whole.at(-1)?.kv.modRevision;
    if (revision === undefined) return undefined;
    return { revision, changes: whole.map((event) => this.#changeOf(event)) };
  }

  #changeOf({ type, kv }: EventMessage): EtcdChange {
    if (type === 'PUT') return { kind: 'put', entry: this.#keys.entryOf(kv) };
    return { kind: 'delete', key: this.#keys.nameOf(kv.key), revision: kv.modRevision };
  }
}
