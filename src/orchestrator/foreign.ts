import type { Descriptor } from '../core/descriptor.ts';
import { isLayerpullError, LayerpullError } from '../core/errors.ts';
import type { BlobSource } from '../source/blob-source.ts';

/** Layers that their makers do not want in every registry, such as those of Windows (OCI image-spec `layer.md`). */
const foreignTypes =
  /^application\/vnd\.(docker\.image\.rootfs\.foreign|oci\.image\.layer\.nondistributable)\./;

/**
 * The same source, which says of a foreign layer that it lacks what kind of layer that is. As docker does on Linux,
 * such layers are fetched from the registry like all others: the addresses in a manifest are never followed, for
 * whoever writes a manifest would choose whom we ask.
 */
export function explainingForeign(source: BlobSource): BlobSource {
  return { ...source, open: (layer, request) => explain(layer, source.open(layer, request)) };
}

async function* explain(layer: Descriptor, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes;
  } catch (error) {
    throw isLayerpullError(error) && error.code === 'blob_not_found' && foreignTypes.test(layer.mediaType)
      ? foreignMissing(error)
      : error;
  }
}

function foreignMissing(cause: LayerpullError): LayerpullError {
  return new LayerpullError(
    'blob_not_found',
    `${cause.message}: it is a foreign layer, kept elsewhere by its maker`,
    {
      hint: 'addresses in a manifest are not followed; push the image with its foreign layers into a registry',
      cause,
    },
  );
}
