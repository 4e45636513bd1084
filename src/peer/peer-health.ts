import type { Digest } from '../core/digest.ts';
import { isLayerpullError } from '../core/errors.ts';
import type { PeerSource } from '../lock/sources.ts';
import type { Standing } from '../source/blob-source.ts';

/**
 * Why too little comes of a peer. `silent`: the time that one waits for a peer was spent on it, or it gives nothing to this
 * node at all; `certificate`: one of the two does not take that of the other; `slow`: it was left because it is slow.
 */
export type Fault = 'silent' | 'certificate' | 'slow';

/** What one pull has learned of its peers, shared by its layers. */
export interface PeerHealth {
  /** Whether this pull asks no peer any more. */
  readonly isOver: boolean;
  /** Whether this peer was left so often because it is slow that this pull asks it no more. */
  isTooSlow(url: string): boolean;
  /** A peer gave bytes: the others may be worth waiting for again. */
  gaveBytes(): void;
  /** Too little comes of this peer. */
  failed(url: string, fault: Fault): void;
  /** The blob is about to be read from this peer. */
  used(digest: Digest, peer: PeerSource): void;
  /**
   * A peer that gave wrong bytes of what it offered as complete, each one once. Who only handed on what it got is not to
   * blame.
   */
  takeWrong(digest: Digest, standing: (url: string) => Standing): PeerSource | undefined;
}

/** So many peers of which nothing comes, with no byte of any peer between, are enough: it is paid once. */
const enough = 2;
/** A peer that is left so often for its slowness costs more than it gives: bytes that drip are no reason to come back. */
const maxSlowReads = 2;

/** @param warn told once, when the pull gives up on peers */
export function createPeerHealth(warn: (message: string) => void): PeerHealth {
  const useless = new Map<string, Fault>();
  /** How often each was left because it is slow. */
  const slowReads = new Map<string, number>();
  const slowReadsOf = (url: string) => slowReads.get(url) ?? 0;
  /** By digest and url: those that were complete when they were read. */
  const complete = new Map<string, { readonly digest: Digest; readonly peer: PeerSource }>();
  let isOver = false;
  return {
    get isOver() {
      return isOver;
    },
    isTooSlow: (url) => slowReadsOf(url) >= maxSlowReads,
    gaveBytes: () => useless.clear(),
    failed(url, fault) {
      if (fault === 'slow') {
        slowReads.set(url, slowReadsOf(url) + 1);
        return;
      }
      useless.set(url, fault);
      if (isOver || useless.size < enough) return;
      isOver = true;
      warn(givenUp(useless));
    },
    used(digest, peer) {
      if (peer.complete) complete.set(`${digest} ${peer.url}`, { digest, peer });
    },
    takeWrong(digest, standing) {
      for (const [key, use] of complete) {
        if (use.digest !== digest || !isProved(standing(use.peer.url))) continue;
        complete.delete(key);
        return use.peer;
      }
      return undefined;
    },
  };
}

function givenUp(useless: ReadonlyMap<string, Fault>): string {
  const isOfCertificates = [...useless.values()].includes('certificate');
  const why = isOfCertificates ? ', most likely because of a certificate' : '';
  return `${[...useless.keys()].join(' and ')} gave nothing${why}: the rest comes from the registry`;
}

/** Its bytes did not match, and it did not only break off. */
function isProved(standing: Standing): boolean {
  if (standing.kind !== 'wrong') return false;
  return isLayerpullError(standing.error) && standing.error.code === 'digest_mismatch';
}
