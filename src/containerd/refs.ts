import { type Digest, type DigestAlgorithm, digestAlgorithm, isDigest } from '../core/digest.ts';
import { Refusal } from './refusal.ts';

/** Far above what containerd makes. */
const maxRefBytes = 4_096;

/** What a ref of containerd's own fetcher says: `default/1/layer-sha256:<hex>`. */
export interface NamedBlob {
  readonly kind: string;
  readonly digest: Digest;
}

/** Undefined for the ref of anybody else. containerd puts its name space and a number before what its client wrote. */
export function blobIn(ref: string): NamedBlob | undefined {
  const [, kind = '', digest = ''] = /(?:^|\/)([a-z]+)-(sha(?:256|512):[0-9a-f]+)$/.exec(ref) ?? [];
  return isDigest(digest) ? { kind, digest } : undefined;
}

/** By which the bytes of an ingest are hashed while they come. */
export function algorithmIn(ref: string): DigestAlgorithm {
  const named = blobIn(ref);
  return named ? digestAlgorithm(named.digest) : 'sha256';
}

/** @throws Refusal `invalidArgument` */
export function refuseWrongRef(ref: string): void {
  if (ref === '') throw new Refusal('invalidArgument', 'the first message must have a reference');
  if (Buffer.byteLength(ref) > maxRefBytes) throw new Refusal('invalidArgument', 'the reference is too long');
}
