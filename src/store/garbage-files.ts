import { lstat, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../core/clock.ts';
import { type Digest, isDigest } from '../core/digest.ts';
import { collectClaims, liveClaims, namesIn } from './claims.ts';
import { storing } from './files.ts';
import type { Garbage, Leftover } from './garbage.ts';
import { ingestPath, type Layout } from './layout.ts';
import type { References } from './references.ts';
import { isNeeded, listTrash, settleTrash } from './trash.ts';

export interface GarbageOptions {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly references: References;
}

/** The partials of one blob: the files that were there when somebody looked. */
interface Partials {
  readonly digest: Digest;
  readonly folder: string;
  readonly files: readonly string[];
  readonly bytes: number;
}

export function createGarbage({ layout, clock, references }: GarbageOptions): Garbage {
  const action = 'collect what is left over';
  const abandoned = () => abandonedPartials(layout, clock.wallNow());
  const settle = async () => {
    await collectClaims(layout, clock.wallNow());
    return await settleTrash(layout, references.read);
  };
  return {
    find: () =>
      storing(action, async () => {
        const trashed = await listTrash(layout);
        const book = await references.read();
        const trash = trashed.filter(({ digest }) => !isNeeded(book, digest));
        return [...trash.map(toTrash), ...(await abandoned()).map(toPartial)];
      }),
    collect: () =>
      storing(action, async () => {
        const { removed } = await settle();
        const partials = await abandoned();
        for (const one of partials) await removePartials(one);
        return [...removed.map(toTrash), ...partials.map(toPartial)];
      }),
    settle: () => storing(action, async () => void (await settle())),
  };
}

/**
 * A pull claims a blob before it writes a partial of it. Files that were there before the claims were read, and that no
 * claim covers, are therefore nobody's. Only those are removed: what is written beside them since belongs to a new pull.
 */
async function abandonedPartials(layout: Layout, wallNowMs: number): Promise<Partials[]> {
  const found = await listPartials(layout);
  const claimed = new Set((await liveClaims(layout, wallNowMs)).flatMap(({ digests }) => digests));
  return found.filter(({ digest }) => !claimed.has(digest));
}

async function listPartials(layout: Layout): Promise<Partials[]> {
  const partials: Partials[] = [];
  for (const name of await namesIn(ingestPath(layout))) {
    const digest = name.replace('-', ':');
    if (!isDigest(digest)) continue;
    const folder = path.join(ingestPath(layout), name);
    const files = (await namesIn(folder).catch(() => [])).map((file) => path.join(folder, file));
    partials.push({ digest, folder, files, bytes: await bytesOf(files) });
  }
  return partials;
}

async function bytesOf(files: readonly string[]): Promise<number> {
  const sizes = await Promise.all(
    files.map(async (file) => (await lstat(file).catch(() => undefined))?.size ?? 0),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function removePartials({ folder, files }: Partials): Promise<void> {
  for (const file of files) await rm(file, { force: true });
  // It stays when somebody began to write into it.
  await rmdir(folder).catch(() => {});
}

function toTrash({ digest, size }: { readonly digest: Digest; readonly size: number }): Leftover {
  return { kind: 'trash', digest, bytes: size };
}

function toPartial({ digest, bytes }: Partials): Leftover {
  return { kind: 'partial', digest, bytes };
}
