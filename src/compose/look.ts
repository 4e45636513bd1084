import type { StoreConfig } from '../config.ts';
import type { Platform } from '../core/descriptor.ts';
import { LayerpullError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { type ImageDetails, inspectImage, type ListedImage, listImages } from '../orchestrator/look.ts';
import { readStore } from '../store/reader.ts';
import { toImageQuery } from './image-query.ts';

export type { ImageDetails, ListedImage } from '../orchestrator/look.ts';

/** The images of the store; none where there is no store. @throws LayerpullError `store_*` */
export async function imagesOf({ store }: StoreConfig, log: Log): Promise<readonly ListedImage[]> {
  const reader = await readStore(store, log);
  return reader ? await listImages(reader) : [];
}

/** @throws LayerpullError `image_not_found`, `ambiguous_digest`, `platform_not_found`, `blob_not_found`, `store_*` */
export async function inspect(
  text: string,
  { store }: StoreConfig,
  platform: Platform | undefined,
  log: Log,
): Promise<ImageDetails> {
  const query = toImageQuery(text);
  const reader = await readStore(store, log);
  if (!reader) {
    throw new LayerpullError(
      'image_not_found',
      `there is no image ${query.name ?? text}, nor a store in ${store}`,
      {
        origin: 'store',
        hint: 'give the folder of the store with --store',
      },
    );
  }
  return await inspectImage(query, platform, reader);
}
