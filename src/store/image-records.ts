import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import { formatPlatform } from '../core/descriptor.ts';
import { type Digest, digestHex, digestOf, isDigest } from '../core/digest.ts';
import { messageOf, systemCodeOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { readFlags } from './files.ts';
import type { ImageRecord } from './image-store.ts';
import type { StoredImage } from './index-json.ts';
import { imagesPath, type Layout } from './layout.ts';

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

type Root = Pick<Layout, 'root'>;

export interface Records {
  readonly images: readonly StoredImage[];
  /** Files that are there and cannot be read as records. */
  readonly damaged: readonly { readonly file: string; readonly reason: string }[];
}

/** The name and the platform decide the file: pulling again replaces, other platforms stay. */
export function imageFile(layout: Root, { name, platform }: ImageRecord): string {
  const key = digestOf(Buffer.from(`${name}\n${formatPlatform(platform)}`));
  return path.join(imagesPath(layout), `${digestHex(key).slice(0, 32)}.json`);
}

/** A damaged record hides one image, not all of them. */
export async function readImages(layout: Root, log: Log): Promise<readonly StoredImage[]> {
  const { images, damaged } = await readRecords(layout);
  for (const { file, reason } of damaged) {
    log.warn({ file }, `an image record cannot be read and is left out: ${reason}`);
  }
  return images;
}

export async function readRecords(layout: Root): Promise<Records> {
  const folder = imagesPath(layout);
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json') && !name.startsWith('.'));
  const images: StoredImage[] = [];
  const damaged: { file: string; reason: string }[] = [];
  const read = await Promise.all(names.sort().map((name) => readRecord(path.join(folder, name))));
  for (const one of read) {
    if (one && 'reason' in one) damaged.push({ file: one.file, reason: one.reason });
    else if (one) images.push(one);
  }
  return { images, damaged };
}

/** `code`: of the system, where it did not let the file be read. */
export interface UnreadRecord {
  readonly file: string;
  readonly reason: string;
  readonly code?: string;
}

/** Undefined when it was removed since the folder was read. */
export async function readRecord(file: string): Promise<StoredImage | UnreadRecord | undefined> {
  try {
    return v.parse(imageSchema, JSON.parse(await readFile(file, { encoding: 'utf8', flag: readFlags })));
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === 'ENOENT') return undefined;
    return { file, reason: messageOf(error), ...(code === undefined ? {} : { code }) };
  }
}

export function isSameImage(one: ImageRecord, other: ImageRecord): boolean {
  return (
    one.name === other.name &&
    formatPlatform(one.platform) === formatPlatform(other.platform) &&
    one.manifest.digest === other.manifest.digest &&
    one.manifest.size === other.manifest.size &&
    one.index?.digest === other.index?.digest &&
    one.index?.size === other.index?.size
  );
}

/** Whether the image is the one that was recorded last under its name: recording it again changes nothing. */
export function hasTheName(image: ImageRecord, images: readonly StoredImage[]): boolean {
  const sameName = images.filter(({ name }) => name === image.name);
  const latestMs = Math.max(0, ...sameName.map(({ recordedAtMs }) => recordedAtMs));
  return sameName.some((known) => known.recordedAtMs === latestMs && isSameImage(known, image));
}
