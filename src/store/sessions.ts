import { randomUUID } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Digest, digestHex, digestOf } from '../core/digest.ts';
import { systemCodeOf } from '../core/errors.ts';
import { type SessionId, type StoreId, toStoreId } from '../core/ids.ts';
import { fileMode, folderMode, replaceFile, storing } from './files.ts';
import {
  blobPath,
  claimName,
  identityPath,
  identityText,
  ingestPath,
  type Layout,
  readIdentity,
  sessionsPath,
} from './layout.ts';
import { plainFileName } from './partials.ts';

/**
 * Who uses a store now: `sessions/<session id>`, one small file for each session at a lock server. Whoever is told of
 * another session of its store finds that one's file in its own store, or else the two have copies of one store.
 */
export interface StoreSessions {
  /** Writes the session's file, and removes those that nobody touched for a day. @throws LayerpullError `store_*` */
  enter(sessionId: SessionId): Promise<void>;
  /** Says that the session is still there. Never throws. */
  touch(sessionId: SessionId): Promise<void>;
  /** Removes the session's file. Never throws. */
  leave(sessionId: SessionId): Promise<void>;
  /** @throws LayerpullError `store_*` */
  isHere(sessionId: SessionId): Promise<boolean>;
  /** Whether there is anything under this digest. */
  hasBlob(digest: Digest): Promise<boolean>;
  /**
   * Gives the store a name of its own in place of `known`, once: all processes that find `known` in use elsewhere get
   * the same new one. @throws LayerpullError `store_*`
   */
  rename(known: StoreId): Promise<StoreId>;
}

/** A session touches its file far more often. */
const staleAfterMs = 24 * 3_600_000;

/** @param root absolute path of a store that is there */
export function createSessions(root: string, wallNow: () => number): StoreSessions {
  const folder = sessionsPath({ root });
  const fileOf = (sessionId: SessionId) => path.join(folder, plainFileName(sessionId));
  return {
    enter: (sessionId) =>
      storing(`write to the store ${root}`, async () => {
        await mkdir(folder, { recursive: true, mode: folderMode });
        await collectStale(folder, wallNow()).catch(() => {});
        await writeFile(fileOf(sessionId), '', { flag: 'wx', mode: fileMode });
      }),
    touch: async (sessionId) => {
      const now = new Date(wallNow());
      await utimes(fileOf(sessionId), now, now).catch(() => {});
    },
    leave: async (sessionId) => {
      await rm(fileOf(sessionId), { force: true }).catch(() => {});
    },
    isHere: (sessionId) => storing(`read the store ${root}`, () => isThere(fileOf(sessionId))),
    hasBlob: (digest) => isThere(blobPath({ root }, digest)).catch(() => false),
    rename: (known) => storing(`give the store ${root} a name of its own`, () => rename({ root }, known)),
  };
}

/** Of all processes that rename the store at once, the first to write `sessions/successor-…` decides for all. */
async function rename(layout: Pick<Layout, 'root'>, known: StoreId): Promise<StoreId> {
  const current = await readIdentity(layout.root);
  if (current !== known) return current;
  const file = path.join(sessionsPath(layout), `successor-${shortHash(known)}`);
  await mkdir(sessionsPath(layout), { recursive: true, mode: folderMode });
  await claimName(file, randomUUID());
  const next = toStoreId(await readFile(file, 'utf8'));
  await replaceFile(identityPath(layout), identityText(next), ingestPath(layout));
  return next;
}

/** Store ids may hold any character. */
function shortHash(storeId: StoreId): string {
  return digestHex(digestOf(Buffer.from(storeId))).slice(0, 32);
}

async function isThere(file: string): Promise<boolean> {
  try {
    await lstat(file);
    return true;
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    return false;
  }
}

async function collectStale(folder: string, wallNowMs: number): Promise<void> {
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name);
    const stats = await lstat(file).catch(() => undefined);
    if (stats && wallNowMs - stats.mtimeMs >= staleAfterMs) await rm(file, { force: true });
  }
}
