import type { Descriptor } from '../core/descriptor.ts';
import type { PeerSource, Source, SourceReport } from '../lock/sources.ts';
import type { OpenBlob } from '../source/blob-source.ts';
import type { PeerHealth } from './peer-health.ts';

/** What is said against a peer. */
export interface BadPeer {
  readonly peer: PeerSource;
  readonly reason: string;
  readonly wrongBytes?: boolean;
}

/**
 * What is to be said before the blob is read from `source`: of a peer whose bytes turned out to be wrong although it
 * offered them as complete (of each one once), or that `source` itself was left for its slowness before.
 */
export function knownBad(
  health: PeerHealth,
  { digest }: Descriptor,
  { standing }: OpenBlob,
  source: Source,
): BadPeer | undefined {
  const peer = health.takeWrong(digest, (url) => standing?.(url) ?? { kind: 'good' });
  if (peer) return { peer, reason: 'sends wrong content', wrongBytes: true };
  const isSlow = source.kind === 'peer' && !health.isOver && health.isTooSlow(source.url);
  return isSlow ? { peer: source, reason: 'is slow' } : undefined;
}

export function reportOf(offset: number, restarts: number, bad: BadPeer | undefined): SourceReport {
  const report = { offset, ...(restarts > 0 ? { restarts } : {}) };
  if (!bad) return report;
  const { peer, ...complaint } = bad;
  return { ...report, bad: { sessionId: peer.sessionId, ...complaint } };
}
