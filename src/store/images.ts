import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import type { Clock } from '../core/clock.ts';
import { type Descriptor, formatPlatform } from '../core/descriptor.ts';
import { type Digest, digestHex, digestOf, isDigest } from '../core/digest.ts';
import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { replaceFile, storing } from './files.ts';
import type { ImageRecord, ImageStore } from './image-store.ts';
import { rewriteIndex, type StoredImage } from './index-json.ts';
import { blobPath, imagesPath, ingestPath, type Layout } from './layout.ts';
import { needsOciForm, ociFormOf } from './oci-form.ts';

const digestSchema = v.custom<Digest>(
  (value) => typeof value === 'string' && isDigest(value),
  'not a digest',
);

const descriptorSchema = v.object({ mediaType: v.string(), digest: digestSchema, size: v.number() });

const imageSchema = v.object({
  name: v.string(),
  platform: v.object({ os: v.string(), architecture: v.string(), variant: v.exactOptional(v.string()) }),
  manifest: descriptorSchema,
  index: v.exactOptional(descriptorSchema),
  ociForm: v.exactOptional(descriptorSchema),
  recordedAtMs: v.number(),
});

export interface ImagesOptions {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly log: Log;
}

/** The images of an OCI layout. */
export function createImages({ layout, clock, log }: ImagesOptions): ImageStore {
  const readAll = () => readImages(layout, log);
  return {
    record: (image) =>
      storing(`record the image ${image.name}`, async () => {
        const sameName = (await readAll()).filter(({ name }) => name === image.name);
        const latestMs = Math.max(0, ...sameName.map(({ recordedAtMs }) => recordedAtMs));
        // The last one has the name, so no two may have been recorded in the same millisecond.
        const nowMs = Math.max(clock.wallNow(), latestMs + 1);
        if (!isRecorded(image, sameName, latestMs)) await writeImage(layout, image, nowMs);
        await rewriteIndex(layout, readAll);
      }),
    list: () => storing('read the images', readAll),
  };
}

async function writeImage(layout: Layout, image: ImageRecord, recordedAtMs: number): Promise<void> {
  const ociForm = needsOciForm(image.manifest) ? await keepOciForm(layout, image) : undefined;
  const stored: StoredImage = { ...image, ...(ociForm ? { ociForm } : {}), recordedAtMs };
  await replaceFile(imageFile(layout, image), JSON.stringify(stored, null, 2), ingestPath(layout));
}

async function keepOciForm(layout: Layout, { manifest }: ImageRecord): Promise<Descriptor> {
  const { descriptor, bytes } = ociFormOf(await readFile(blobPath(layout, manifest.digest)));
  await replaceFile(blobPath(layout, descriptor.digest), bytes, ingestPath(layout));
  return descriptor;
}

/** Pulling again what has the name already writes nothing. */
function isRecorded(image: ImageRecord, sameName: readonly StoredImage[], latestMs: number): boolean {
  return sameName.some(
    (known) =>
      known.recordedAtMs === latestMs &&
      formatPlatform(known.platform) === formatPlatform(image.platform) &&
      known.manifest.digest === image.manifest.digest &&
      known.index?.digest === image.index?.digest,
  );
}

/** The name and the platform decide the file: pulling again replaces, other platforms stay. */
function imageFile(layout: Layout, { name, platform }: ImageRecord): string {
  const key = digestOf(Buffer.from(`${name}\n${formatPlatform(platform)}`));
  return path.join(imagesPath(layout), `${digestHex(key).slice(0, 32)}.json`);
}

async function readImages(layout: Layout, log: Log): Promise<StoredImage[]> {
  const folder = imagesPath(layout);
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json') && !name.startsWith('.'));
  const images = await Promise.all(names.sort().map((name) => readImage(path.join(folder, name), log)));
  return images.filter((image) => image !== undefined);
}

/** A damaged record hides one image, not all of them. */
async function readImage(file: string, log: Log): Promise<StoredImage | undefined> {
  try {
    return v.parse(imageSchema, JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    log.warn({ file }, `an image record cannot be read and is left out: ${messageOf(error)}`);
    return undefined;
  }
}
