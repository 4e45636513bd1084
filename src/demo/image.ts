import { type Descriptor, mediaTypes, type Platform } from '../core/descriptor.ts';
import { finishDigest, startDigest } from '../core/digest.ts';
import { type Bytes, bytesOf, concatBytes, randomBytes } from './bytes.ts';

/** Content of the made image, with what a manifest says about it. */
export interface MadeBlob {
  readonly descriptor: Descriptor;
  readonly bytes: Bytes;
}

/** An OCI image that is computed while it is read, so that it takes no memory and no disk. */
export interface MadeImage {
  readonly platform: Platform;
  readonly manifest: MadeBlob;
  readonly config: MadeBlob;
  readonly layers: readonly MadeBlob[];
  /** Bytes of one whole pull: manifest, config and layers. */
  readonly sizeBytes: number;
}

export interface MakeImageOptions {
  /** Size of the one file in each layer, in bytes. Default: five layers of 3 to 14 MiB, 39 MiB in all. */
  readonly fileBytes?: readonly number[];
}

const MiB = 1_048_576;
const defaultFileBytes = [5 * MiB, 14 * MiB, 3 * MiB, 10 * MiB, 7 * MiB];
const platform: Platform = { os: 'linux', architecture: 'amd64' };
const layerMediaType = 'application/vnd.oci.image.layer.v1.tar';
const tarBlockBytes = 512;

/**
 * Makes the image of the demo: each layer is a tar with one file of pseudo-random bytes, which no compression and no
 * earlier run can shorten. The same options give the same digests on every machine.
 */
export function makeImage(options: MakeImageOptions = {}): MadeImage {
  const layers = (options.fileBytes ?? defaultFileBytes).map(makeLayer);
  const config = jsonBlob(mediaTypes.ociConfig, {
    ...platform,
    config: {},
    // An uncompressed layer is its own diff.
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.descriptor.digest) },
  });
  const manifest = jsonBlob(mediaTypes.ociManifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: config.descriptor,
    layers: layers.map((layer) => layer.descriptor),
  });
  const sizeBytes = [manifest, config, ...layers].reduce((sum, blob) => sum + blob.descriptor.size, 0);
  return { platform, manifest, config, layers, sizeBytes };
}

function makeLayer(fileBytes: number, index: number): MadeBlob {
  const name = `layer-${index + 1}.bin`;
  const padding = (tarBlockBytes - (fileBytes % tarBlockBytes)) % tarBlockBytes;
  const parts = [
    bytesOf(tarHeader(name, fileBytes)),
    randomBytes(name, fileBytes),
    // The file is filled up to a block; two empty blocks end the archive.
    bytesOf(Buffer.alloc(padding + 2 * tarBlockBytes)),
  ];
  return blob(layerMediaType, concatBytes(parts));
}

/** The header of one regular file in the `ustar` format of POSIX.1: fixed fields, numbers in octal. */
function tarHeader(name: string, size: number): Buffer {
  const header = Buffer.alloc(tarBlockBytes);
  header.write(name, 0);
  header.write('0000644\0', 100); // mode
  header.write('0000000\0', 108); // user
  header.write('0000000\0', 116); // group
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136); // modification time
  header.write(' '.repeat(8), 148); // the checksum counts itself as blanks
  header.write('0', 156); // a regular file
  header.write('ustar\x0000', 257);
  const checksum = header.reduce((sum, byte) => sum + byte, 0);
  header.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

function jsonBlob(mediaType: string, value: unknown): MadeBlob {
  return blob(mediaType, bytesOf(Buffer.from(JSON.stringify(value))));
}

function blob(mediaType: string, bytes: Bytes): MadeBlob {
  const hash = startDigest('sha256');
  for (const piece of bytes.read(0, bytes.size)) hash.update(piece);
  return { descriptor: { mediaType, digest: finishDigest(hash, 'sha256'), size: bytes.size }, bytes };
}
