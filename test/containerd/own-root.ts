import { mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ImportedEntry, ImportTarget } from '../../src/containerd/import-root.ts';
import { ownBlobPath } from '../../src/containerd/own-content.ts';
import { type Digest, digestOf } from '../../src/core/digest.ts';
import { tempDir } from '../support/temp.ts';

/** A root of containerd in which the built-in content store has these blobs. */
export function rootWith(...texts: string[]): { readonly root: string; readonly digests: Digest[] } {
  const root = tempDir();
  return { root, digests: texts.map((text) => addOwn(root, text)) };
}

/** Puts a blob into the built-in store; with `claimed` under another digest than its own. */
export function addOwn(root: string, text: string, claimed?: Digest): Digest {
  const digest = claimed ?? digestOf(Buffer.from(text));
  const file = ownBlobPath(root, digest);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text, { mode: 0o444 });
  return digest;
}

export interface TestTarget extends ImportTarget {
  readonly kept: Map<Digest, ImportedEntry>;
  fileOf(digest: Digest): string;
}

/** A store's part for one containerd, with real files. @param folder where; for another file system */
export function importTarget(folder = tempDir()): TestTarget {
  const kept = new Map<Digest, ImportedEntry>();
  const fileOf = (digest: Digest) => path.join(folder, digest.replace(':', '-'));
  return {
    storeId: folder,
    folder,
    kept,
    fileOf,
    entries: async () => [...kept.values()],
    sizeOf: async (digest) => statSync(fileOf(digest), { throwIfNoEntry: false })?.size,
    put: async (entry) => void kept.set(entry.digest, entry),
    remove: async (digest) => void kept.delete(digest),
    adopt: async (file, digest) => renameSync(file, fileOf(digest)),
  };
}
