import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import { type Digest, digestHex, digestOf, isDigest } from '../core/digest.ts';
import { systemCodeOf } from '../core/errors.ts';
import { readFlags, storing, syncFolder, withFile } from './files.ts';

/** Whom a registry let in to a manifest, when. `caller` gives nobody away. */
export interface StoredProof {
  readonly caller: string;
  readonly digest: Digest;
  readonly tag?: string;
  /** Milliseconds since the Unix epoch. */
  readonly provedAtMs: number;
}

export interface StoredProofs {
  /** A random key that stays the same for the store. @throws LayerpullError `store_*` */
  key(): Promise<Uint8Array>;
  read(repository: string): Promise<readonly StoredProof[]>;
  /** @throws LayerpullError `store_*` */
  write(repository: string, proofs: readonly StoredProof[]): Promise<void>;
}

/** Who may read what a mirror serves is for the owner of the store alone. */
const ownFolder = 0o700;
const ownFile = 0o600;
const keyBytes = 32;
const maxFileBytes = 1_048_576;

const proofSchema = v.object({
  caller: v.pipe(v.string(), v.maxLength(128)),
  digest: v.custom<Digest>((value) => typeof value === 'string' && isDigest(value)),
  tag: v.exactOptional(v.pipe(v.string(), v.maxLength(128))),
  provedAtMs: v.pipe(v.number(), v.finite()),
});
const fileSchema = v.object({ repository: v.string(), proofs: v.array(proofSchema) });

/**
 * Proofs of access in `STORE/mirror`: one file per repository, written by rename, and `key`. The folder is made with the
 * first of them.
 *
 * @param root the store
 */
export function createStoredProofs(root: string): StoredProofs {
  const folder = path.join(root, 'mirror');
  const fileOf = (repository: string) =>
    path.join(folder, `${digestHex(digestOf(Buffer.from(repository))).slice(0, 32)}.json`);
  let key: Promise<Uint8Array> | undefined;
  return {
    key() {
      key ??= storing(`read the key of ${folder}`, () => readOrMakeKey(folder)).catch((error: unknown) => {
        key = undefined;
        throw error;
      });
      return key;
    },
    read: (repository) => readProofs(fileOf(repository), repository),
    write: (repository, proofs) =>
      storing(`write to ${folder}`, async () => {
        await mkdir(folder, { recursive: true, mode: ownFolder });
        await replace(fileOf(repository), `${JSON.stringify({ repository, proofs })}\n`);
      }),
  };
}

/** Of several that make one at the same time the first counts. What is there and is no key is replaced. */
async function readOrMakeKey(folder: string): Promise<Uint8Array> {
  await mkdir(folder, { recursive: true, mode: ownFolder });
  const file = path.join(folder, 'key');
  const known = await readKey(file);
  if (known) return known;
  const made = randomBytes(keyBytes);
  await viaDraft(file, made, async (draft) => {
    await link(draft, file).catch(async (error: unknown) => {
      if (systemCodeOf(error) !== 'EEXIST') throw error;
      if (!(await readKey(file))) await rename(draft, file);
    });
  });
  return (await readKey(file)) ?? made;
}

async function readKey(file: string): Promise<Uint8Array | undefined> {
  const bytes = await readFile(file, { flag: readFlags }).catch((error: unknown) => {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  return bytes?.length === keyBytes ? bytes : undefined;
}

/** What cannot be read proves nothing. */
async function readProofs(file: string, repository: string): Promise<readonly StoredProof[]> {
  try {
    const text = await withFile(await open(file, readFlags), async (handle) => {
      const stats = await handle.stat();
      return stats.isFile() && stats.size <= maxFileBytes ? await handle.readFile('utf8') : '';
    });
    const content = v.parse(fileSchema, JSON.parse(text));
    return content.repository === repository ? content.proofs : [];
  } catch {
    return [];
  }
}

async function replace(file: string, content: string): Promise<void> {
  await viaDraft(file, content, (draft) => rename(draft, file));
}

async function viaDraft(
  file: string,
  content: string | Uint8Array,
  put: (draft: string) => Promise<void>,
): Promise<void> {
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    await withFile(await open(draft, 'wx', ownFile), async (handle) => {
      await handle.writeFile(content);
      await handle.sync();
    });
    await put(draft);
  } finally {
    await rm(draft, { force: true }).catch(() => {});
  }
  await syncFolder(path.dirname(file));
}
