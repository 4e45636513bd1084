import * as v from 'valibot';
import { type Descriptor, mediaTypes } from '../../core/descriptor.ts';
import { refusal } from './failure.ts';

/** OCI image-spec `image-layout.md`. */
export const layoutMarker = JSON.stringify({ imageLayoutVersion: '1.0.0' });
/** OCI image-spec `annotations.md`: the name by which `oci:DIR:TAG` finds an image. */
const refName = 'org.opencontainers.image.ref.name';

const entrySchema = v.looseObject({
  digest: v.string(),
  annotations: v.optional(v.record(v.string(), v.unknown())),
});
const indexSchema = v.looseObject({ manifests: v.array(entrySchema) });

export type LayoutIndex = v.InferOutput<typeof indexSchema>;

export const emptyLayoutIndex: LayoutIndex = { schemaVersion: 2, manifests: [] };

/** What cannot be read may still name images of others: it is never written over. @throws LayerpullError `output_failed` */
export function parseLayoutIndex(text: string, file: string): LayoutIndex {
  try {
    return v.parse(indexSchema, JSON.parse(text));
  } catch (cause) {
    throw refusal(`${file} is damaged`, 'repair it, or choose another folder with --output', cause);
  }
}

/**
 * The index with the image in it. A tag names one image, so the one that had it loses it; an image without a tag
 * replaces only itself. All other entries and fields stay.
 */
export function addToLayoutIndex(index: LayoutIndex, image: Descriptor, tag: string | undefined): string {
  const { manifests, ...rest } = index;
  const isReplaced = ({ digest, annotations }: LayoutIndex['manifests'][number]) =>
    annotations?.[refName] === tag && (tag !== undefined || digest === image.digest);
  const annotations = tag === undefined ? {} : { annotations: { [refName]: tag } };
  const document = {
    ...rest,
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [...manifests.filter((entry) => !isReplaced(entry)), { ...image, ...annotations }],
  };
  return JSON.stringify(document, null, 2);
}
