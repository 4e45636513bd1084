import type { SourceGuide } from '../lock/locks.ts';
import type { BlobSource } from '../source/blob-source.ts';

/** The way to what other nodes serve. */
export interface PeerReading {
  /**
   * One source for one layer: reads where the guide says, from the offset reached, and from `registry` where it says
   * so. Tells each use, by the url that the guide named, and honours standings.
   */
  guided(guide: SourceGuide, registry: BlobSource): BlobSource;
}
