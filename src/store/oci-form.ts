import * as v from 'valibot';
import { type Descriptor, mediaTypes } from '../core/descriptor.ts';
import { digestOf } from '../core/digest.ts';

/**
 * Tools that read OCI layouts pass over manifests with Docker's media types. The two formats (Docker Image Manifest V2,
 * Schema 2, and OCI image-spec `manifest.md`) differ in these names alone, so such a manifest is kept a second time
 * under OCI's names, with the same config and layers; `index.json` points to that one.
 */
const ociNames: Readonly<Record<string, string>> = {
  [mediaTypes.dockerManifest]: mediaTypes.ociManifest,
  [mediaTypes.dockerConfig]: mediaTypes.ociConfig,
  'application/vnd.docker.image.rootfs.diff.tar': 'application/vnd.oci.image.layer.v1.tar',
  'application/vnd.docker.image.rootfs.diff.tar.gzip': mediaTypes.ociLayerGzip,
  'application/vnd.docker.image.rootfs.diff.tar.zstd': 'application/vnd.oci.image.layer.v1.tar+zstd',
  'application/vnd.docker.image.rootfs.foreign.diff.tar':
    'application/vnd.oci.image.layer.nondistributable.v1.tar',
  'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip':
    'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
};

const typedSchema = v.looseObject({ mediaType: v.string() });
const manifestSchema = v.looseObject({ config: typedSchema, layers: v.nullable(v.array(typedSchema), []) });

export interface OciForm {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** Whether a manifest has to be kept in OCI's form too. */
export function needsOciForm({ mediaType }: Descriptor): boolean {
  return mediaType === mediaTypes.dockerManifest;
}

/** The same image under OCI's names; the same input gives the same bytes. @throws when it is not a manifest */
export function ociFormOf(manifest: Uint8Array): OciForm {
  const { config, layers, ...rest } = v.parse(
    manifestSchema,
    JSON.parse(Buffer.from(manifest).toString('utf8')),
  );
  const mediaType = mediaTypes.ociManifest;
  const document = { ...rest, mediaType, config: renamed(config), layers: layers.map(renamed) };
  const bytes = Buffer.from(JSON.stringify(document));
  return { bytes, descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length } };
}

function renamed<T extends { readonly mediaType: string }>(descriptor: T): T {
  return { ...descriptor, mediaType: ociNames[descriptor.mediaType] ?? descriptor.mediaType };
}
