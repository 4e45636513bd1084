import { rm, stat } from 'node:fs/promises';
import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { LayerpullError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { writeClaim } from './claims.ts';
import { findDocument } from './documents.ts';
import { replaceFile, storing, syncFolder } from './files.ts';
import { hasTheName, imageFile, isSameImage, readImages, readRecord } from './image-records.ts';
import type { ImageRecord, ImageStore } from './image-store.ts';
import { rewriteIndex, type StoredImage } from './index-json.ts';
import { blobPath, imagesPath, ingestPath, type Layout } from './layout.ts';
import { needsOciForm, ociFormOf } from './oci-form.ts';

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
        if (!(await isWhole(layout, image, sameName))) await writeImage(layout, image, nowMs);
        await rewriteIndex(layout, readAll);
      }),
    remove: (images) =>
      storing('remove images', async () => {
        const removed: ImageRecord[] = [];
        for (const image of images) if (await removeRecord(layout, image)) removed.push(image);
        // Before any blob goes: no power failure may bring back an image without its layers.
        await syncFolder(imagesPath(layout));
        await rewriteIndex(layout, readAll);
        return removed;
      }),
    list: () => storing('read the images', readAll),
  };
}

/** Whether recording the image again would change nothing; OCI's form of it comes from nowhere else. */
async function isWhole(layout: Layout, image: ImageRecord, known: readonly StoredImage[]): Promise<boolean> {
  if (!hasTheName(image, known)) return false;
  const ociForm = known.find((one) => isSameImage(one, image))?.ociForm;
  if (!ociForm) return !needsOciForm(image.manifest);
  const stats = await stat(blobPath(layout, ociForm.digest)).catch(() => undefined);
  return stats?.isFile() === true && stats.size === ociForm.size;
}

/** What was pulled under the same name meanwhile is another image, and stays. */
async function removeRecord(layout: Layout, image: ImageRecord): Promise<boolean> {
  const file = imageFile(layout, image);
  const current = await readRecord(file);
  if (!current || 'reason' in current || current.manifest.digest !== image.manifest.digest) return false;
  await rm(file, { force: true });
  return true;
}

async function writeImage(layout: Layout, image: ImageRecord, recordedAtMs: number): Promise<void> {
  const record = async (more: { readonly ociForm?: Descriptor }) => {
    const stored: StoredImage = { ...image, ...more, recordedAtMs };
    await replaceFile(imageFile(layout, image), JSON.stringify(stored, null, 2), ingestPath(layout));
  };
  if (needsOciForm(image.manifest)) await withOciForm(layout, image, (ociForm) => record({ ociForm }));
  else await record({});
}

/** Until the record names it, a claim does. */
async function withOciForm(
  layout: Layout,
  { name, manifest }: ImageRecord,
  record: (ociForm: Descriptor) => Promise<void>,
): Promise<void> {
  const { descriptor, bytes } = ociFormOf(Buffer.from(await readManifest(layout, manifest.digest)));
  const claim = await writeClaim(layout, { name, digests: [descriptor.digest] });
  try {
    await replaceFile(blobPath(layout, descriptor.digest), bytes, ingestPath(layout));
    await record(descriptor);
  } finally {
    await claim.release();
  }
}

async function readManifest(layout: Layout, digest: Digest): Promise<string> {
  const text = await findDocument(layout, digest);
  if (text !== undefined) return text;
  throw new LayerpullError('blob_not_found', `the manifest ${digest} is not in the store`, {
    origin: 'store',
  });
}
