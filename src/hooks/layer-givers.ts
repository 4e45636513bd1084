import type { NodeId } from '../core/ids.ts';
import type { PeerSource, Source, SourceGuide } from '../lock/locks.ts';
import type { SourceUse } from '../source/blob-source.ts';

/** One that gave bytes of a layer. */
export interface Giver {
  readonly kind: 'registry' | 'peer';
  /** Absent where the download does not say whom it asks. */
  readonly url?: string;
  /** Of a peer. */
  readonly node?: NodeId;
  readonly bytes: number;
}

type Identity = Omit<Giver, 'bytes'>;

/**
 * Who gave the bytes of one layer. Which addresses are those of peers is known from the guide: whatever a download says
 * it reads from, it is a peer only if the lock server named it.
 */
export class Givers {
  readonly #peers = new Map<string, PeerSource>();
  readonly #told: Source;
  #bytes = new Map<string, Giver>();
  #current: Identity;
  #fromPeers = 0;
  #fromRegistry = 0;

  /** @param told where the holder was told to read: who gives as long as the download does not say more exactly */
  constructor(told: Source) {
    this.#told = told;
    this.name(told);
    this.#current = this.#identityOf(told);
  }

  /** The lock server named a source. */
  readonly name = (source: Source): void => {
    if (source.kind === 'peer') this.#peers.set(baseOf(source.url), source);
  };

  /** The same guide, with every source that it names noted. */
  watching(guide: SourceGuide): SourceGuide {
    const note = (source: Source) => {
      this.name(source);
      return source;
    };
    return {
      get source() {
        return note(guide.source);
      },
      onMove: (listener) => guide.onMove((source) => listener(note(source))),
      next: async (report, signal) => note(await guide.next(report, signal)),
    };
  }

  /** The bytes from now on belong to a new file. */
  begin(): void {
    this.#bytes = new Map();
    this.#current = this.#identityOf(this.#told);
  }

  /** Answers the peer that this is, if it is one. */
  use({ url }: SourceUse): PeerSource | undefined {
    const peer = this.#peers.get(baseOf(url));
    this.#current = peer ? this.#identityOf(peer) : { kind: 'registry', url };
    return peer;
  }

  gave(bytes: number): void {
    const { kind, url = '' } = this.#current;
    const sum = (this.#bytes.get(url)?.bytes ?? 0) + bytes;
    this.#bytes.set(url, { ...this.#current, bytes: sum });
    if (kind === 'peer') this.#fromPeers += bytes;
    else this.#fromRegistry += bytes;
  }

  /** Of the file that was begun last, in the order in which they began to give. */
  list(): readonly Giver[] {
    return [...this.#bytes.values()];
  }

  /** Bytes that came from peers, those that were thrown away included. */
  get fromPeers(): number {
    return this.#fromPeers;
  }

  /** Whether bytes came for the file that was begun last, and all of them from peers. */
  get isCopied(): boolean {
    return this.#bytes.size > 0 && this.list().every(({ kind }) => kind === 'peer');
  }

  /** Whether only peers gave bytes, those that were thrown away included. */
  get onlyPeersGave(): boolean {
    return this.#fromPeers > 0 && this.#fromRegistry === 0;
  }

  #identityOf(source: Source): Identity {
    return source.kind === 'peer'
      ? { kind: 'peer', url: source.url, node: source.nodeId }
      : { kind: 'registry' };
  }
}

/** A base address is the same with and without a slash behind it. */
export function baseOf(url: string): string {
  return url.endsWith('/') ? url.slice(0, -1) : url;
}
