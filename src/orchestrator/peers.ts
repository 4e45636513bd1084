import type { Descriptor } from '../core/descriptor.ts';
import { LayerpullError } from '../core/errors.ts';
import { baseOf } from '../hooks/layer-givers.ts';
import type { Source, SourceGuide } from '../lock/locks.ts';
import type { BlobSource, OpenBlob } from '../source/blob-source.ts';

/** The way to what other nodes serve. */
export interface PeerReading {
  /**
   * One source for one layer: reads where the guide says, from the offset reached, and from `registry` where it says
   * so. Tells each use, by the url that the guide named, and honours standings.
   */
  guided(guide: SourceGuide, registry: BlobSource): BlobSource;
}

const registry: Source = { kind: 'registry' };

/** So many different peers in a row without a byte between them speak of the network, not of one node. */
const mostSilent = 2;

/**
 * The same way, for one pull: given up for all of its layers when two different peers were left in a row and none gave a
 * byte in between. Otherwise each layer would wait for each of them; so the price of silence is paid once.
 */
export function boundedPeers(peers: PeerReading, onWarning: (warning: LayerpullError) => void): PeerReading {
  const left = new Set<string>();
  let isOver = false;
  const noteLeft = ({ sessionId, reason }: { readonly sessionId: string; readonly reason: string }) => {
    left.add(sessionId);
    if (isOver || left.size < mostSilent) return;
    isOver = true;
    onWarning(givenUp(reason));
  };
  return {
    guided(guide, source) {
      const urls = new Set<string>();
      const allowed = (next: Source) => {
        if (isOver) return registry;
        if (next.kind === 'peer') urls.add(baseOf(next.url));
        return next;
      };
      const guarded: SourceGuide = {
        get source() {
          return allowed(guide.source);
        },
        onMove: (listener) => guide.onMove((next) => listener(allowed(next))),
        async next(report, signal) {
          if (report.bad) noteLeft(report.bad);
          return isOver ? registry : allowed(await guide.next(report, signal));
        },
      };
      return noticing(peers.guided(guarded, source), (url) => {
        if (urls.has(baseOf(url))) left.clear();
      });
    },
  };
}

/** `source`, but `onBytes` hears of the url that each byte comes from. */
function noticing(source: BlobSource, onBytes: (url: string) => void): BlobSource {
  return { url: source.url, open: (blob, request) => openNoticing(source, onBytes, blob, request) };
}

async function* openNoticing(
  source: BlobSource,
  onBytes: (url: string) => void,
  blob: Descriptor,
  request: OpenBlob,
): AsyncGenerator<Uint8Array> {
  let url = '';
  const onSource: OpenBlob['onSource'] = (use) => {
    url = use.url;
    request.onSource?.(use);
  };
  for await (const chunk of source.open(blob, { ...request, onSource })) {
    if (chunk.length > 0) onBytes(url);
    yield chunk;
  }
}

function givenUp(reason: string): LayerpullError {
  return new LayerpullError(
    'peers_unusable',
    `${mostSilent} other nodes in a row gave nothing (the last one: ${reason}); reading from the registry`,
    {
      origin: 'peer',
      hint: 'see whether nodes reach each other at the addresses that `layerpull nodes` shows',
    },
  );
}
