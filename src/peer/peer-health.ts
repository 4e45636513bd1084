import type { Digest } from '../core/digest.ts';
import type { PeerSource } from '../lock/sources.ts';
import type { Standing } from '../source/blob-source.ts';

/** What one pull has learned of its peers, shared by its layers. */
export interface PeerHealth {
  /** Whether this pull asks no peer any more. */
  readonly isOver: boolean;
  /** A peer gave bytes: the others may be worth waiting for again. */
  gaveBytes(): void;
  /** The time that one waits for a peer was spent on this one. */
  fellSilent(url: string): void;
  /** The blob is about to be read from this peer. */
  used(digest: Digest, peer: PeerSource): void;
  /**
   * A peer that gave wrong bytes of what it offered as complete, each one once. Who only handed on what it got is not to
   * blame.
   */
  takeWrong(digest: Digest, standing: (url: string) => Standing): PeerSource | undefined;
}

/** So many peers that cost the time one waits, with no byte of any peer between, are enough: it is paid once. */
const enough = 2;

/** @param warn told once, when the pull gives up on peers */
export function createPeerHealth(warn: (message: string) => void): PeerHealth {
  const silent = new Set<string>();
  /** By digest and url: those that were complete whenever they were read. */
  const complete = new Map<string, { readonly digest: Digest; readonly peer: PeerSource }>();
  const relays = new Set<string>();
  let isOver = false;
  return {
    get isOver() {
      return isOver;
    },
    gaveBytes: () => silent.clear(),
    fellSilent(url) {
      silent.add(url);
      if (isOver || silent.size < enough) return;
      isOver = true;
      warn(`${[...silent].join(' and ')} gave nothing: the rest comes from the registry`);
    },
    used(digest, peer) {
      const key = `${digest} ${peer.url}`;
      if (!peer.complete) relays.add(key);
      if (relays.has(key)) complete.delete(key);
      else complete.set(key, { digest, peer });
    },
    takeWrong(digest, standing) {
      for (const [key, use] of complete) {
        if (use.digest !== digest || standing(use.peer.url).kind !== 'wrong') continue;
        complete.delete(key);
        return use.peer;
      }
      return undefined;
    },
  };
}
