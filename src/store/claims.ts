import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import * as v from 'valibot';
import { isDigest } from '../core/digest.ts';
import { systemCodeOf } from '../core/errors.ts';
import { lockStateOf, tryLock } from './file-lock.ts';
import { fileMode, folderMode, syncFolder } from './files.ts';
import { claimsPath, ingestPath, type Layout } from './layout.ts';
import type { Claim, ClaimRequest } from './references.ts';

/**
 * What a running pull needs: `references/<uuid>.json`, one file per pull, `{ format: 1, name, node, digests, host,
 * kernel, pid, locked }`. Its owner keeps an advisory lock on it, which the kernel frees with the process: a claim that
 * can be locked is a dead pull's: it counts no more, and the next `rm` or `prune` removes it. The file is locked before it gets its name, so
 * no claim is ever seen without its lock. Where a lock says nothing (the owner could not lock, or has another kernel, as
 * on a shared file system) the age decides: a claim counts for 24 hours, as long as a partial does.
 */
const claimSchema = v.object({
  format: v.literal(1),
  name: v.string(),
  node: v.exactOptional(v.string()),
  digests: v.array(v.string()),
  host: v.string(),
  kernel: v.string(),
  pid: v.number(),
  locked: v.boolean(),
});

export type StoredClaim = v.InferOutput<typeof claimSchema>;

const maxAgeMs = 24 * 3_600_000;
/** 1,000 layers with sha512 digests are 150 kB. */
const maxClaimBytes = 4_194_304;

export async function writeClaim(layout: Layout, request: ClaimRequest): Promise<Claim> {
  const name = `${randomUUID()}.json`;
  const draft = path.join(ingestPath(layout), `draft-${name}`);
  const file = path.join(claimsPath(layout), name);
  const handle = await open(draft, 'wx+', fileMode);
  try {
    const locked = await tryLock(handle);
    await handle.writeFile(JSON.stringify({ format: 1, ...request, ...thisHost(), locked }));
    await handle.sync();
    await mkdir(claimsPath(layout), { recursive: true, mode: folderMode });
    await rename(draft, file);
    await syncFolder(claimsPath(layout));
  } catch (error) {
    await handle.close();
    await rm(draft, { force: true });
    await rm(file, { force: true });
    throw error;
  }
  return { release: onlyOnce(() => endClaim(handle, file)) };
}

async function endClaim(handle: FileHandle, file: string): Promise<void> {
  // A claim whose file cannot be removed loses its lock with the file handle, and is collected.
  await rm(file, { force: true }).catch(() => {});
  await handle.close().catch(() => {});
}

function onlyOnce(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= work();
    return done;
  };
}

/** The claims of pulls that may still run. */
export async function liveClaims(layout: Layout, wallNowMs: number): Promise<StoredClaim[]> {
  const files = await claimFiles(layout);
  const claims = await Promise.all(files.map((file) => readClaim(file, wallNowMs)));
  return claims.filter((claim) => claim !== undefined);
}

/** Whether this process wrote it. */
export function isOurs({ host, kernel, pid }: StoredClaim): boolean {
  const here = thisHost();
  return host === here.host && kernel === here.kernel && pid === here.pid;
}

/** Removes the claims of dead pulls. */
export async function collectClaims(layout: Layout, wallNowMs: number): Promise<void> {
  for (const file of await claimFiles(layout)) {
    await readClaim(file, wallNowMs, () => rm(file, { force: true }).catch(() => {}));
  }
}

async function claimFiles(layout: Layout): Promise<string[]> {
  const names = (await namesIn(claimsPath(layout))).filter((name) => name.endsWith('.json'));
  return names.map((name) => path.join(claimsPath(layout), name));
}

/**
 * Undefined for one that is over; `onOver` is called while it is locked. Who only looks shares the lock with others who
 * do: none of them takes it for alive because another one looks.
 */
async function readClaim(
  file: string,
  wallNowMs: number,
  onOver?: () => Promise<void>,
): Promise<StoredClaim | undefined> {
  const opened = await openClaim(file);
  if (!opened) return undefined;
  const { handle, writable } = opened;
  try {
    const claim = await parseClaim(handle);
    const { mtimeMs } = await handle.stat();
    const tellsByLock = writable && claim?.locked && claim.kernel === kernelId();
    const isFree = async () => (onOver ? await tryLock(handle) : (await lockStateOf(handle)) === 'free');
    const isOver = tellsByLock ? await isFree() : wallNowMs - mtimeMs >= maxAgeMs;
    if (!isOver) return claim;
    await onOver?.();
    return undefined;
  } finally {
    await handle.close();
  }
}

/** Another user's claim can be read, and not locked. */
async function openClaim(file: string): Promise<{ handle: FileHandle; writable: boolean } | undefined> {
  for (const flags of ['r+', 'r'] as const) {
    try {
      return { handle: await open(file, flags), writable: flags === 'r+' };
    } catch (error) {
      const code = systemCodeOf(error);
      if (code === 'ENOENT') return undefined;
      if (flags === 'r') throw error;
    }
  }
  return undefined;
}

/** Undefined for what is no claim: it protects nothing, and goes when it is old. */
async function parseClaim(handle: FileHandle): Promise<StoredClaim | undefined> {
  if ((await handle.stat()).size > maxClaimBytes) return undefined;
  try {
    const claim = v.parse(claimSchema, JSON.parse(await handle.readFile('utf8')));
    return { ...claim, digests: claim.digests.filter(isDigest) };
  } catch {
    return undefined;
  }
}

export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function thisHost(): Pick<StoredClaim, 'host' | 'kernel' | 'pid'> {
  return { host: os.hostname(), kernel: kernelId(), pid: process.pid };
}

/** The same in all containers of one running kernel, which see each other's locks. */
function kernelId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return os.hostname();
  }
}
