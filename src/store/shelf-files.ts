import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import { type Digest, digestAlgorithm, digestHex, isDigest } from '../core/digest.ts';
import { LayerpullError, messageOf, systemCodeOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { namesIn } from './claims.ts';
import { lockStateOf, tryLock } from './file-lock.ts';
import { fileMode, folderMode, readFlags, replaceFile, storageError, storing } from './files.ts';
import { FolderSync } from './folder-sync.ts';
import { blobPath, ingestPath, type Layout } from './layout.ts';
import type { OpenBlob, Shelf, ShelfEntry } from './shelf.ts';

type Root = Pick<Layout, 'root'>;

/**
 * `containerd/<name>/catalog/<alg>-<hex>.json`: one entry, `{ format: 1, digest, size, createdAtMs, updatedAtMs,
 * labels }`. Its name alone says which blob is needed, so that an entry that cannot be read still protects its blob.
 * `containerd/<name>/lock` is locked by the one process that uses the shelf.
 */
const entrySchema = v.object({
  format: v.literal(1),
  digest: v.custom<Digest>((value) => isDigest(String(value))),
  size: v.pipe(v.number(), v.integer(), v.minValue(0)),
  createdAtMs: v.number(),
  updatedAtMs: v.number(),
  labels: v.record(v.string(), v.string()),
});

const shelvesPath = ({ root }: Root): string => path.join(root, 'containerd');
const catalogPath = (folder: string): string => path.join(folder, 'catalog');

/**
 * Takes the shelf of that name, making it where there is none.
 * @throws LayerpullError `data_in_use` while another process has it; `store_*`
 */
export async function openShelf(layout: Layout, name: string, log: Log): Promise<Shelf> {
  const folder = path.join(shelvesPath(layout), folderName(name));
  return await storing(`use ${folder}`, async () => {
    await mkdir(catalogPath(folder), { recursive: true, mode: folderMode });
    const lock = await takeShelf(folder);
    return new FileShelf(layout, { name: folderName(name), folder, lock, log });
  });
}

/** What the programs with a catalog need. */
export async function shelvedBlobs(layout: Root): Promise<{ name: string; digests: Digest[] }[]> {
  const shelves = [];
  for (const name of await namesIn(shelvesPath(layout))) {
    const files = await namesIn(catalogPath(path.join(shelvesPath(layout), name))).catch(ignoreFile);
    shelves.push({ name, digests: files.map(digestIn).filter((one) => one !== undefined) });
  }
  return shelves;
}

/** Something else than a folder is no shelf. */
function ignoreFile(error: unknown): string[] {
  if (systemCodeOf(error) !== 'ENOTDIR') throw error;
  return [];
}

function digestIn(file: string): Digest | undefined {
  const digest = file.replace(/\.json$/, '').replace('-', ':');
  return isDigest(digest) ? digest : undefined;
}

/** Names of nodes may hold what file names may not. */
function folderName(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) return name;
  const plain = name.replace(/[^A-Za-z0-9]+/g, '-').slice(0, 40);
  return `n${plain}-${createHash('sha256').update(name).digest('hex').slice(0, 12)}`;
}

async function takeShelf(folder: string): Promise<FileHandle> {
  const handle = await open(path.join(folder, 'lock'), 'a+', fileMode);
  // Where the file system knows no locks there is nobody to ask.
  if ((await tryLock(handle)) || (await lockStateOf(handle)) !== 'held') return handle;
  await handle.close();
  throw new LayerpullError('data_in_use', `${folder} is used by another process`, {
    hint: 'one content plugin at a time serves one containerd; give each its own name with --node',
    origin: 'store',
  });
}

interface FileShelfParts {
  readonly name: string;
  readonly folder: string;
  readonly lock: FileHandle;
  readonly log: Log;
}

class FileShelf implements Shelf {
  readonly #layout: Layout;
  readonly #lock: FileHandle;
  readonly #log: Log;
  readonly #folderSync = new FolderSync();
  readonly name: string;
  readonly storeId: string;
  readonly folder: string;
  #closing: Promise<void> | undefined;

  constructor(layout: Layout, { name, folder, lock, log }: FileShelfParts) {
    this.#layout = layout;
    this.#lock = lock;
    this.#log = log;
    this.name = name;
    this.storeId = layout.storeId;
    this.folder = folder;
  }

  async entries(): Promise<readonly ShelfEntry[]> {
    return await storing(`read ${this.folder}`, async () => {
      const entries: ShelfEntry[] = [];
      for (const name of await readdir(catalogPath(this.folder))) {
        const entry = await this.#read(path.join(catalogPath(this.folder), name));
        if (entry) entries.push(entry);
      }
      return entries;
    });
  }

  async put({ digest, size, createdAtMs, updatedAtMs, labels }: ShelfEntry): Promise<void> {
    const text = JSON.stringify({ format: 1, digest, size, createdAtMs, updatedAtMs, labels });
    await storing(`keep ${digest} for ${this.name}`, () =>
      replaceFile(this.#entryFile(digest), text, ingestPath(this.#layout)),
    );
  }

  async remove(digest: Digest): Promise<void> {
    await storing(`forget ${digest} for ${this.name}`, () => rm(this.#entryFile(digest), { force: true }));
  }

  async sizeOf(digest: Digest): Promise<number | undefined> {
    const stats = await stat(blobPath(this.#layout, digest)).catch(() => undefined);
    return stats?.isFile() ? stats.size : undefined;
  }

  async open(digest: Digest): Promise<OpenBlob> {
    try {
      return await openBlob(digest, await open(blobPath(this.#layout, digest), readFlags));
    } catch (error) {
      if (systemCodeOf(error) !== 'ENOENT') throw storageError(error, `read ${digest}`);
      throw new LayerpullError('blob_not_found', `${digest} is not in the store ${this.#layout.root}`, {
        origin: 'store',
      });
    }
  }

  async adopt(file: string, digest: Digest): Promise<void> {
    const target = blobPath(this.#layout, digest);
    await storing(`store ${digest}`, async () => {
      await rename(file, target);
      await this.#folderSync.sync(path.dirname(target));
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#lock.close();
    return this.#closing;
  }

  #entryFile(digest: Digest): string {
    return path.join(catalogPath(this.folder), `${digestAlgorithm(digest)}-${digestHex(digest)}.json`);
  }

  async #read(file: string): Promise<ShelfEntry | undefined> {
    try {
      const { format: _, ...entry } = v.parse(entrySchema, JSON.parse(await readFile(file, 'utf8')));
      if (this.#entryFile(entry.digest) !== file) throw new Error('it speaks of another blob');
      return entry;
    } catch (error) {
      this.#log.warn({ file, reason: messageOf(error) }, 'an entry of the catalog cannot be read');
      return undefined;
    }
  }
}

async function openBlob(digest: Digest, handle: FileHandle): Promise<OpenBlob> {
  const { size } = await handle.stat().catch(async (error: unknown) => {
    await handle.close();
    throw error;
  });
  let closing: Promise<void> | undefined;
  return {
    size,
    async read(position, bytes) {
      const wanted = Math.max(0, Math.min(bytes, size - position));
      const buffer = Buffer.allocUnsafe(wanted);
      for (let filled = 0; filled < wanted; ) {
        const { bytesRead } = await storing(`read ${digest}`, () =>
          handle.read(buffer, filled, wanted - filled, position + filled),
        );
        if (bytesRead === 0) throw new LayerpullError('store_failed', `${digest} ends before its end`);
        filled += bytesRead;
      }
      return buffer;
    },
    close() {
      closing ??= handle.close();
      return closing;
    },
  };
}
