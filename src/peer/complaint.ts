import type { Descriptor } from '../core/descriptor.ts';
import type { PeerSource, SourceReport } from '../lock/sources.ts';
import type { OpenBlob } from '../source/blob-source.ts';
import type { PeerHealth } from './peer-health.ts';

/** What is said against a peer. */
export interface BadPeer {
  readonly peer: PeerSource;
  readonly reason: string;
  readonly wrongBytes?: boolean;
}

/** A peer whose bytes turned out to be wrong although it offered them as complete; each one once. */
export function wrongPeer(
  health: PeerHealth,
  { digest }: Descriptor,
  { standing }: OpenBlob,
): BadPeer | undefined {
  const peer = health.takeWrong(digest, (url) => standing?.(url) ?? { kind: 'good' });
  return peer && { peer, reason: 'sends wrong content', wrongBytes: true };
}

export function reportOf(offset: number, restarts: number, bad: BadPeer | undefined): SourceReport {
  const report = { offset, ...(restarts > 0 ? { restarts } : {}) };
  if (!bad) return report;
  const { peer, ...complaint } = bad;
  return { ...report, bad: { sessionId: peer.sessionId, ...complaint } };
}
