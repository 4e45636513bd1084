import type { Descriptor } from '../../core/descriptor.ts';

/** Layers that registries need not have: OCI image-spec `layer.md`, and Docker's foreign layers. */
export function isNondistributable({ mediaType }: Descriptor): boolean {
  return /^application\/vnd\.(oci\.image\.layer\.nondistributable|docker\.image\.rootfs\.foreign)\./.test(
    mediaType,
  );
}
