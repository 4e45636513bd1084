import type { EtcdEntry } from './etcd.ts';
import type { KeyRange, KeyValue } from './messages.ts';

/** Keys as callers name them and as etcd has them: below the prefix of the cluster. */
export class Keys {
  readonly prefix: string;
  readonly #prefixBytes: number;

  constructor(prefix: string) {
    this.prefix = prefix;
    this.#prefixBytes = Buffer.byteLength(prefix);
  }

  one(key: string): Buffer {
    return Buffer.from(this.prefix + key);
  }

  /** All keys that begin with it. */
  below(prefix: string): Required<KeyRange> {
    const key = this.one(prefix);
    return { key, rangeEnd: endOf(key) };
  }

  nameOf(key: Buffer): string {
    return key.toString('utf8', this.#prefixBytes);
  }

  entryOf({ key, value, createRevision, modRevision }: KeyValue): EtcdEntry {
    return { key: this.nameOf(key), value, createRevision, modRevision };
  }
}

/** What comes behind everything that begins with these bytes. */
function endOf(prefix: Buffer): Buffer {
  for (let at = prefix.length - 1; at >= 0; at -= 1) {
    const byte = prefix[at] ?? 255;
    if (byte < 255) return Buffer.concat([prefix.subarray(0, at), Buffer.of(byte + 1)]);
  }
  // To etcd: no end.
  return Buffer.of(0);
}
