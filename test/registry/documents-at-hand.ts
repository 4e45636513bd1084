import { type Digest, digestAlgorithm, digestOf } from '../../src/core/digest.ts';
import type { ResolvedImage, ResolveOptions, StoredDocuments } from '../../src/registry/image-registry.ts';
import { parseReference } from '../../src/registry/reference.ts';
import type { FakeRegistry } from '../support/fake-registry.ts';
import { amd64, type Rig } from './support.ts';

/** Documents at hand in memory, and which of them were asked for. */
export interface AtHand extends StoredDocuments {
  readonly asked: Digest[];
  keep(...documents: readonly { readonly bytes: Uint8Array; readonly digest: Digest }[]): void;
}

export function createAtHand(): AtHand {
  const kept = new Map<Digest, Uint8Array>();
  const asked: Digest[] = [];
  return {
    asked,
    keep(...documents) {
      for (const { digest, bytes } of documents) {
        if (digestOf(bytes, digestAlgorithm(digest)) !== digest) throw new Error('a store verifies');
        kept.set(digest, bytes);
      }
    },
    async read(digest) {
      asked.push(digest);
      return kept.get(digest);
    },
  };
}

export function resolveWith(
  { client }: Rig,
  reference: string,
  options: Partial<ResolveOptions>,
): Promise<ResolvedImage> {
  const whole = { platform: amd64, ...options };
  return client.resolve(parseReference(reference), whole, new AbortController().signal);
}

/** What the registry was asked about manifests: `HEAD latest`, `GET sha256:…` */
export function manifestRequests({ requests }: FakeRegistry): string[] {
  return requests
    .filter(({ path }) => path.includes('/manifests/'))
    .map(({ method, path }) => `${method} ${path.slice(path.lastIndexOf('/') + 1)}`);
}
