import { randomUUID } from 'node:crypto';
import { link, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import { type Digest, digestAlgorithm, digestHex } from '../core/digest.ts';
import { LayerpullError, systemCodeOf } from '../core/errors.ts';
import { type StoreId, toStoreId } from '../core/ids.ts';
import { folderMode, storageError, syncFolder, writeNew } from './files.ts';
import { makeRoot } from './root.ts';

/** Where everything lies in a store: an OCI image layout with a few files of our own beside it. */
export interface Layout {
  /** Absolute, links resolved. */
  readonly root: string;
  readonly storeId: StoreId;
}

/** The content of `oci-layout`: OCI image-spec `image-layout.md`. */
export const ociLayout = JSON.stringify({ imageLayoutVersion: '1.0.0' });
export const emptyIndex = JSON.stringify({ schemaVersion: 2, manifests: [] });

/** `layerpull.json`: the format of our own files, and the name that all who share the store share. */
const identitySchema = v.object({ format: v.number(), storeId: v.pipe(v.string(), v.minLength(1)) });
const format = 1;

export function blobPath({ root }: Pick<Layout, 'root'>, digest: Digest): string {
  return path.join(root, 'blobs', digestAlgorithm(digest), digestHex(digest));
}

export function partialsPath(layout: Layout, digest: Digest): string {
  return path.join(ingestPath(layout), `${digestAlgorithm(digest)}-${digestHex(digest)}`);
}

/** Partials and drafts: whatever is not whole yet. What is left behind here is collected. */
export const ingestPath = ({ root }: Pick<Layout, 'root'>): string => path.join(root, 'ingest');
export const imagesPath = ({ root }: Pick<Layout, 'root'>): string => path.join(root, 'images');
/** What running pulls need. Made by the first that needs something. */
export const claimsPath = ({ root }: Layout): string => path.join(root, 'references');
/** Blobs on their way out: `trash/<token>-<hex>`. Made by the first deletion. */
export const trashPath = ({ root }: Pick<Layout, 'root'>): string => path.join(root, 'trash');
/** Who uses the store now. Made by the first session at a lock server. */
export const sessionsPath = ({ root }: Pick<Layout, 'root'>): string => path.join(root, 'sessions');
export const markerPath = ({ root }: Pick<Layout, 'root'>): string => path.join(root, 'oci-layout');
export const identityPath = ({ root }: Pick<Layout, 'root'>): string => path.join(root, 'layerpull.json');
export const indexPath = ({ root }: Pick<Layout, 'root'>): string => path.join(root, 'index.json');

/**
 * Opens a store, making it where there is none. Several processes may do so at once: they agree on one store id.
 *
 * @throws LayerpullError `store_unusable` for a folder that holds something else, or a newer format
 */
export async function openLayout(wanted: string): Promise<Layout> {
  const root = await makeRoot(wanted);
  await refuseForeignFolder(root);
  await claimName(path.join(root, 'oci-layout'), ociLayout);
  for (const folder of ['blobs/sha256', 'blobs/sha512', 'images', 'ingest']) {
    await mkdir(path.join(root, folder), { recursive: true, mode: folderMode });
  }
  await claimName(path.join(root, 'index.json'), emptyIndex);
  await claimName(identityPath({ root }), identityText(randomUUID()));
  return { root, storeId: await readIdentity(root) };
}

/** Nobody wants a store unpacked into their home: only an empty folder or an OCI layout becomes one. */
export async function refuseForeignFolder(root: string): Promise<void> {
  const names = (await readdir(root)).filter((name) => !name.startsWith('.') && name !== 'lost+found');
  if (names.length === 0 || names.includes('oci-layout')) return;
  throw new LayerpullError('store_unusable', `${root} is not a content store: it holds other files`, {
    hint: 'choose an empty folder or an OCI image layout with --store',
  });
}

/** The content of `layerpull.json`. */
export function identityText(storeId: string): string {
  return JSON.stringify({ format, storeId });
}

/** The name of a store that is there. @throws LayerpullError `store_unusable` */
export async function readIdentity(root: string): Promise<StoreId> {
  const file = identityPath({ root });
  const identity = parseIdentity(await readFile(file, 'utf8'), file);
  if (identity.format > format) {
    throw new LayerpullError(
      'store_unusable',
      `${root} was written by a newer layerpull (format ${identity.format})`,
      {
        hint: 'use that version, or another folder with --store',
      },
    );
  }
  return toStoreId(identity.storeId);
}

function parseIdentity(text: string, file: string): v.InferOutput<typeof identitySchema> {
  try {
    return v.parse(identitySchema, JSON.parse(text));
  } catch (cause) {
    throw new LayerpullError('store_unusable', `${file} is damaged`, {
      hint: 'run layerpull verify --repair, which writes a new one',
      cause,
    });
  }
}

/**
 * Of several processes that give a file its first content, one wins, and nobody sees half of it. A rename would not do:
 * whoever comes late would put an empty `index.json` over the images that a faster one recorded.
 */
export async function claimName(file: string, content: string): Promise<void> {
  const draft = path.join(path.dirname(file), `.draft-${randomUUID()}`);
  try {
    await readFile(file);
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw storageError(error, `read ${file}`);
    await writeNew(draft, content);
    await link(draft, file).catch(ignoreExisting);
    await syncFolder(path.dirname(file));
  } finally {
    await rm(draft, { force: true });
  }
}

function ignoreExisting(error: unknown): void {
  if (systemCodeOf(error) !== 'EEXIST') throw error;
}
