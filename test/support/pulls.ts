import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import * as v from 'valibot';
import { expect } from 'vitest';
import { type CliChild, type CliResult, spawnCli } from './cli.ts';

const resultSchema = v.object({
  reference: v.string(),
  digest: v.string(),
  manifestDigest: v.string(),
  platform: v.string(),
  node: v.string(),
  store: v.string(),
  layers: v.array(
    v.object({
      digest: v.string(),
      size: v.number(),
      mediaType: v.string(),
      outcome: v.picklist(['downloaded', 'copied', 'skipped', 'present']),
      source: v.object({
        kind: v.picklist(['registry', 'peer', 'store']),
        url: v.optional(v.string()),
        node: v.optional(v.string()),
      }),
      sources: v.optional(v.array(v.object({ kind: v.string(), url: v.string(), bytes: v.number() }))),
      bytes: v.number(),
      bytesFromPeers: v.optional(v.number()),
      durationMs: v.number(),
    }),
  ),
  bytesFromRegistry: v.number(),
  bytesFromPeers: v.number(),
  bytesSaved: v.number(),
  bytesSpared: v.number(),
  durationMs: v.number(),
  output: v.optional(v.object({ kind: v.string(), path: v.string(), bytes: v.number() })),
});

export type JsonResult = v.InferOutput<typeof resultSchema>;

/** The document of a pull that succeeded; shows stderr when it did not. */
export function resultOf(run: CliResult): JsonResult {
  expect(run.code, run.stderr).toBe(0);
  return v.parse(resultSchema, JSON.parse(run.stdout));
}

export interface PullArgs {
  readonly reference: string;
  readonly store: string;
  readonly node?: string;
  readonly server?: string;
  readonly more?: readonly string[];
}

/** Starts `pull --json --progress json`. */
export async function startPull({ reference, store, node, server, more = [] }: PullArgs): Promise<CliChild> {
  const args = ['pull', reference, '--store', store, '--json', '--progress', 'json', ...more];
  if (node) args.push('--node', node);
  if (server) args.push('--server', server);
  return await spawnCli(args);
}

/** Starts a lock server, on a free port and in memory unless told otherwise, and answers with its URL. */
export async function startServer(
  address = '127.0.0.1:0',
  args: readonly string[] = ['--ephemeral'],
): Promise<{ url: string; child: CliChild }> {
  const child = await spawnCli(['serve', '--addr', address, ...args]);
  const [url] = await child.stdout.waitFor(/http:\/\/127\.0\.0\.1:\d+/);
  return { url, child };
}

/** How many of the pulls downloaded each blob, by digest. */
export function downloadsByDigest(results: readonly JsonResult[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const layer of results.flatMap((result) => result.layers)) {
    counts.set(layer.digest, (counts.get(layer.digest) ?? 0) + (layer.outcome === 'downloaded' ? 1 : 0));
  }
  return counts;
}

/** Hashes every blob of the store against its name. Answers with the digests that are there. */
export async function verifyStore(store: string): Promise<string[]> {
  const folder = path.join(store, 'blobs', 'sha256');
  const names = existsSync(folder) ? readdirSync(folder) : [];
  for (const name of names) {
    const hash = createHash('sha256');
    for await (const piece of createReadStream(path.join(folder, name))) hash.update(piece);
    expect(hash.digest('hex')).toBe(name);
  }
  return names.map((name) => `sha256:${name}`);
}
