import { createHash, type Hash } from 'node:crypto';
import { LayerpullError } from './errors.ts';
import type { Brand } from './ids.ts';

/** `algorithm:hex` as in the OCI image specification, lower case. Only sha256 and sha512 exist here. */
export type Digest = Brand<string, 'Digest'>;

export type DigestAlgorithm = 'sha256' | 'sha512';

const digestPattern = /^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

export function isDigest(text: string): text is Digest {
  return digestPattern.test(text);
}

/** @throws LayerpullError `invalid_digest` */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new LayerpullError('invalid_digest', `"${text.slice(0, 160)}" is not a digest`, {
    hint: 'a digest is sha256: with 64, or sha512: with 128 hexadecimal digits in lower case',
  });
}

export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256';
}

export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}

/** `sha256:0123456789ab`: enough for people. */
export function shortDigest(digest: Digest): string {
  return digest.slice(0, digest.indexOf(':') + 13);
}

export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}` as Digest;
}

/** The running hash to feed while bytes stream; compare with `finishDigest`. */
export function startDigest(algorithm: DigestAlgorithm): Hash {
  return createHash(algorithm);
}

export function finishDigest(hash: Hash, algorithm: DigestAlgorithm): Digest {
  return `${algorithm}:${hash.digest('hex')}` as Digest;
}

/** Whether `text` may be the beginning of a digest, with or without its algorithm. */
export function isDigestPrefix(text: string): boolean {
  return /^((sha256|sha512):)?[0-9a-f]{1,128}$/.test(text) || /^(sha256|sha512):$/.test(text);
}
