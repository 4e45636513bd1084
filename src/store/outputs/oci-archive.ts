import { type Digest, digestAlgorithm, digestHex } from '../../core/digest.ts';
import type { ImageOutput } from './image-output.ts';
import { gatherOci, type OciContents } from './oci-contents.ts';
import { addToLayoutIndex, emptyLayoutIndex, layoutMarker } from './oci-index.ts';
import type { Target } from './sinks.ts';
import { type TarWriter, writeArchive } from './tar-writer.ts';
import { readVerified } from './verified.ts';

export interface OciArchiveOptions {
  readonly target: Target;
  readonly tag: string | undefined;
}

/** An OCI layout as a tar. */
export function ociArchive({ target, tag }: OciArchiveOptions): ImageOutput {
  return {
    check: target.check,
    async write(image, blobs, signal) {
      const contents = await gatherOci(image, blobs);
      return await writeArchive(await target.open(signal), signal, async (tar) => {
        addFrame(tar, contents, tag);
        for (const [digest, bytes] of contents.documents) tar.addDocument(nameOf(digest), bytes);
        for (const blob of contents.blobs.values()) {
          await tar.addFile(nameOf(blob.digest), blob.size, readVerified(blobs, blob, signal));
        }
      });
    },
  };
}

function addFrame(tar: TarWriter, { top, documents, blobs }: OciContents, tag: string | undefined): void {
  tar.addDocument('oci-layout', layoutMarker);
  tar.addDocument('index.json', addToLayoutIndex(emptyLayoutIndex, top, tag));
  tar.addFolder('blobs');
  const algorithms = new Set([...documents.keys(), ...blobs.keys()].map(digestAlgorithm));
  for (const algorithm of algorithms) tar.addFolder(`blobs/${algorithm}`);
}

function nameOf(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}
