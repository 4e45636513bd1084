import { type Digest, digestOf } from '../../../src/core/digest.ts';

export const layer: Digest = digestOf(Buffer.from('a layer'));
export const otherLayer: Digest = digestOf(Buffer.from('another layer'));
