import type { Calls } from './calls.ts';
import { EtcdCompacted, type EtcdEntry, type EtcdRange } from './etcd.ts';
import { isTooLong } from './failures.ts';
import type { Keys } from './keys.ts';
import type { KeyValue, RangeReply, RangeRequest } from './messages.ts';

export interface ListOptions {
  readonly revision?: number;
  readonly signal?: AbortSignal;
}

/** Bytes that a page should have; the first one has few keys, for nobody knows how large they are. */
const pageBytes = 2 * 1_048_576;
const firstPageKeys = 32;
const maxPageKeys = 1_000;
/** How often reading begins anew because the revision of the first page was compacted meanwhile. */
const maxRestarts = 3;

export async function list(
  calls: Calls,
  keys: Keys,
  prefix: string,
  options: ListOptions,
): Promise<EtcdRange> {
  for (let restarts = 0; ; restarts += 1) {
    try {
      return await listOnce(calls, keys, prefix, options);
    } catch (error) {
      const mayRestart = error instanceof EtcdCompacted && options.revision === undefined;
      if (!mayRestart || restarts === maxRestarts) throw error;
    }
  }
}

async function listOnce(
  calls: Calls,
  keys: Keys,
  prefix: string,
  { revision, signal }: ListOptions,
): Promise<EtcdRange> {
  const { key, rangeEnd } = keys.below(prefix);
  const entries: EtcdEntry[] = [];
  let request: RangeRequest & { limit: number } = {
    key,
    rangeEnd,
    limit: firstPageKeys,
    revision: revision ?? 0,
  };
  for (;;) {
    const page = await readPage(calls, request, signal);
    if (!page) {
      request = { ...request, limit: Math.ceil(request.limit / 8) };
      continue;
    }
    for (const keyValue of page.kvs) entries.push(keys.entryOf(keyValue));
    const last = page.kvs.at(-1);
    const at = request.revision || page.header.revision;
    if (!page.more || !last) return { revision: at, entries };
    // The smallest key behind the last one.
    request = {
      ...request,
      key: Buffer.concat([last.key, Buffer.of(0)]),
      revision: at,
      limit: limitAfter(page.kvs),
    };
  }
}

/** Undefined for one that is too long to be received. */
async function readPage(
  calls: Calls,
  request: RangeRequest & { readonly limit: number },
  signal: AbortSignal | undefined,
): Promise<RangeReply | undefined> {
  try {
    return await calls.call(calls.methods.range, request, { isRepeatable: true, signal });
  } catch (error) {
    if (request.limit > 1 && error instanceof Error && isTooLong(error.cause)) return undefined;
    throw error;
  }
}

/** As many keys as make a page if they are as large as these. */
function limitAfter(page: readonly KeyValue[]): number {
  const bytes = page.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
  return Math.min(maxPageKeys, Math.max(1, Math.floor((pageBytes / Math.max(1, bytes)) * page.length)));
}
