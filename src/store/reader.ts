import { realpath } from 'node:fs/promises';
import type { Log } from '../core/log.ts';
import { storing } from './files.ts';
import { readImages } from './image-records.ts';
import type { RecordedImage } from './image-store.ts';
import { peekStore, type StorePeek } from './peek.ts';

/** The images of a store, for those who only look. */
export interface StoreReader extends StorePeek {
  /** Absolute path, links resolved. */
  readonly path: string;
  /** In no order. A record that cannot be read is left out, with a warning. @throws LayerpullError `store_*` */
  images(): Promise<readonly RecordedImage[]>;
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
  };
}
