import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import path from 'node:path';

/** Reads every blob of an image in an OCI layout. @throws when one is missing or is not what its digest says */
export async function verifyImage(layout: string, digests: readonly string[]): Promise<void> {
  for (const digest of digests) {
    const [algorithm = '', hex = ''] = digest.split(':');
    const hash = createHash(algorithm);
    for await (const piece of createReadStream(path.join(layout, 'blobs', algorithm, hex)))
      hash.update(piece);
    if (hash.digest('hex') !== hex) throw new Error(`${layout} has wrong bytes as ${digest}`);
  }
}
