import * as v from 'valibot';
import { isDigest } from '../core/digest.ts';

/** `type/subtype` as in RFC 6838. */
const mediaType = v.pipe(
  v.string('is not a string'),
  v.regex(/^[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127}$/, 'is not a media type'),
);
const digest = v.pipe(v.string('is not a string'), v.guard(isDigest, 'is not a sha256 or sha512 digest'));
const size = v.pipe(
  v.number('is not a number'),
  v.safeInteger('is not a whole number'),
  v.minValue(0, 'is negative'),
);
const data = v.nullish(v.string('is not a string'));
const descriptor = v.object({ mediaType, digest, size, data }, 'is not a descriptor');

/** Nothing that could move the cursor of a terminal or turn the direction of its text. */
const printable = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$/u;
const platformPart = v.pipe(
  v.string('is not a string'),
  v.maxLength(64, 'is too long'),
  v.regex(printable, 'has characters that cannot be shown'),
);
const platform = v.object(
  { os: platformPart, architecture: platformPart, variant: v.nullish(platformPart) },
  'is not a platform',
);

/** What all manifests and indexes share. */
export const envelopeSchema = v.object(
  {
    schemaVersion: v.number('is not a number'),
    mediaType: v.optional(v.string('is not a string')),
    artifactType: v.optional(v.string('is not a string')),
  },
  'is not an object',
);

/** OCI image-spec `manifest.md` and Docker image manifest version 2, schema 2, as far as pulling needs them. */
export const manifestSchema = v.object({
  config: descriptor,
  // Tools written in Go say null where there are none.
  layers: v.nullable(v.array(descriptor, 'is not a list'), []),
  manifests: v.optional(v.never('does not belong into a manifest')),
});

/** OCI image-spec `image-index.md` and Docker manifest list, as far as pulling needs them. */
export const indexSchema = v.object({
  manifests: v.array(
    v.object({ ...descriptor.entries, platform: v.nullish(platform) }, 'is not a descriptor'),
    'is not a list',
  ),
  config: v.optional(v.never('does not belong into an index')),
  layers: v.optional(v.never('does not belong into an index')),
});
