import path from 'node:path';
import { systemClock } from '../../src/core/clock.ts';
import { type Descriptor, mediaTypes, type Platform } from '../../src/core/descriptor.ts';
import { toNodeId, toSessionId, toToken } from '../../src/core/ids.ts';
import { createBlobs } from '../../src/store/blobs.ts';
import { openLayout } from '../../src/store/layout.ts';
import { openStore } from '../../src/store/oci-layout.ts';
import { createReferences } from '../../src/store/reference-book.ts';
import type { References } from '../../src/store/references.ts';
import { blobOf, type TestBlob } from '../support/blobs.ts';
import { onCleanup } from '../support/cleanup.ts';
import { tempDir } from '../support/temp.ts';

export const amd64: Platform = { os: 'linux', architecture: 'amd64' };
export const token = toToken(7);

/** A store in a folder of its own; `around` may change what its blobs see of the references. */
export async function setUpStore(around: (references: References) => References = (same) => same) {
  const folder = path.join(tempDir(), 'store');
  const store = await openStore({ path: folder, clock: systemClock });
  const layout = await openLayout(folder);
  const references = createReferences({ layout, clock: systemClock });
  const blobs = createBlobs(layout, around(references));
  const put = async (blob: TestBlob) => {
    const ingest = await blobs.ingest(blob, { session: toSessionId('a') });
    await ingest.write(blob.bytes);
    await ingest.commit();
  };
  const claim = async (...needed: readonly Descriptor[]) => {
    const digests = needed.map(({ digest }) => digest);
    const claimed = await references.claim({ name: 'team/app:1', node: toNodeId('node-a'), digests });
    onCleanup(claimed.release);
    return claimed;
  };
  return { folder, store, layout, references, blobs, put, claim };
}

export const descriptorOf = ({ mediaType, digest, size }: Descriptor): Descriptor => ({
  mediaType,
  digest,
  size,
});

export function documentOf(value: object, mediaType: string = mediaTypes.ociManifest): TestBlob {
  return blobOf(JSON.stringify({ schemaVersion: 2, mediaType, ...value }), mediaType);
}

/** A manifest of a config and the layers given. */
export function imageOf(config: TestBlob, ...layers: readonly TestBlob[]): TestBlob {
  return documentOf({ config: descriptorOf(config), layers: layers.map(descriptorOf) });
}
