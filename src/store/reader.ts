import { realpath } from 'node:fs/promises';
import type { Log } from '../core/log.ts';
import { storing } from './files.ts';
import { hasTheName, isSameImage, readImages, readRecords } from './image-records.ts';
import type { ImageRecord, RecordedImage } from './image-store.ts';
import { isIndexDerived, type StoredImage } from './index-json.ts';
import { peekStore, type StorePeek } from './peek.ts';

/** The images of a store, for those who only look. */
export interface StoreReader extends StorePeek {
  /** Absolute path, links resolved. */
  readonly path: string;
  /** In no order. A record that cannot be read is left out, with a warning. @throws LayerpullError `store_*` */
  images(): Promise<readonly RecordedImage[]>;
  /** Whether recording these, the last one as the one that has the name, would change nothing in the store. */
  areRecorded(images: readonly ImageRecord[]): Promise<boolean>;
}

/** Reads the store in a folder. Undefined where there is none: none is made, and nothing is ever written. */
export async function readStore(folder: string, log: Log): Promise<StoreReader | undefined> {
  const peek = await peekStore(folder);
  if (!peek) return undefined;
  const root = await storing(`read the store ${folder}`, () => realpath(folder));
  return {
    ...peek,
    path: root,
    images: () => storing('read the images', () => readImages({ root }, log)),
    areRecorded: async (images) => {
      const { images: known, damaged } = await readRecords({ root });
      const last = images.at(-1);
      if (!last || damaged.length > 0 || !hasTheName(last, known)) return false;
      const found = images.map((image) => known.find((one) => isSameImage(one, image)));
      if (!(await hasAll(peek, found))) return false;
      return await isIndexDerived({ root }, known);
    },
  };
}

/** Also in the form that other tools read. */
async function hasAll(peek: StorePeek, images: readonly (StoredImage | undefined)[]): Promise<boolean> {
  const whole = images.map(async (image) => {
    if (!image) return false;
    return image.ociForm === undefined || (await peek.has(image.ociForm));
  });
  return (await Promise.all(whole)).every(Boolean);
}
