import { isLayerpullError } from '../core/errors.ts';
import type { ImageQuery } from '../orchestrator/image-query.ts';
import { formatReference, parseReference } from '../registry/reference.ts';

/**
 * What a user typed to name an image of the store. A digest is no reference, and neither are 64 hexadecimal digits.
 *
 * @throws LayerpullError `invalid_reference` for what can be neither
 */
export function toImageQuery(text: string): ImageQuery {
  try {
    const reference = parseReference(text);
    return { text, reference, name: formatReference(reference) };
  } catch (error) {
    const mayBeDigest = /^(sha256:|sha512:)?[0-9a-f]+$/.test(text);
    if (mayBeDigest && isLayerpullError(error)) return { text };
    throw error;
  }
}
