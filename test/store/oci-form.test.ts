import { describe, expect, it } from 'vitest';
import { mediaTypes } from '../../src/core/descriptor.ts';
import { digestOf } from '../../src/core/digest.ts';
import { needsOciForm, ociFormOf } from '../../src/store/oci-form.ts';
import { blobOf } from '../support/blobs.ts';

const docker = {
  schemaVersion: 2,
  mediaType: mediaTypes.dockerManifest,
  config: { mediaType: mediaTypes.dockerConfig, digest: blobOf('{}').digest, size: 2 },
  layers: [
    { mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip', digest: blobOf('a').digest, size: 1 },
    { mediaType: 'application/x-unheard-of', digest: blobOf('b').digest, size: 1 },
  ],
};
const bytes = Buffer.from(JSON.stringify(docker, null, 3));

describe("the OCI form of a manifest with Docker's media types", () => {
  it('has the same config and layers under the names of OCI', () => {
    const form = ociFormOf(bytes);
    expect(JSON.parse(Buffer.from(form.bytes).toString())).toEqual({
      ...docker,
      mediaType: mediaTypes.ociManifest,
      config: { ...docker.config, mediaType: mediaTypes.ociConfig },
      layers: [{ ...docker.layers[0], mediaType: mediaTypes.ociLayerGzip }, docker.layers[1]],
    });
    expect(form.descriptor).toEqual({
      mediaType: mediaTypes.ociManifest,
      digest: digestOf(form.bytes),
      size: form.bytes.length,
    });
  });

  it('is the same for the same manifest, and only made where it is needed', () => {
    expect(ociFormOf(bytes).descriptor).toEqual(ociFormOf(bytes).descriptor);
    expect(needsOciForm(blobOf('x', mediaTypes.dockerManifest))).toBe(true);
    expect(needsOciForm(blobOf('x', mediaTypes.ociManifest))).toBe(false);
  });
});
