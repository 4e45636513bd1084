import * as v from 'valibot';
import { parsePlatform } from '../core/descriptor.ts';
import { type Digest, isDigest } from '../core/digest.ts';
import { toNodeId } from '../core/ids.ts';

const digest = v.custom<Digest>((value) => typeof value === 'string' && isDigest(value));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const nodeId = v.pipe(v.string(), v.transform(toNodeId));
const descriptor = v.object({ mediaType: v.string(), digest, size: count });
const source = v.object({
  kind: v.picklist(['registry', 'peer', 'store']),
  url: v.exactOptional(v.string()),
  node: v.exactOptional(nodeId),
});
export const outcome = v.picklist(['downloaded', 'copied', 'skipped', 'present']);

const event = v.variant('kind', [
  v.object({
    kind: v.literal('resolved'),
    reference: v.string(),
    digest,
    manifestDigest: digest,
    platform: v.pipe(v.string(), v.transform(parsePlatform)),
    platforms: v.array(v.object({ platform: v.string(), manifestDigest: digest })),
    layers: v.array(descriptor),
  }),
  v.object({ kind: v.literal('waiting'), digest, holder: v.exactOptional(nodeId), position: count }),
  v.object({ kind: v.literal('downloading'), digest, offset: count, size: count, source }),
  v.object({ kind: v.literal('progress'), digest, offset: count, size: count }),
  v.object({ kind: v.literal('retrying'), digest, message: v.string() }),
  v.object({
    kind: v.literal('switched'),
    digest,
    offset: count,
    size: count,
    source,
    message: v.exactOptional(v.string()),
  }),
  v.object({
    kind: v.literal('finished'),
    digest,
    size: count,
    outcome,
    source,
    bytesFromPeers: v.exactOptional(count),
    sources: v.exactOptional(v.array(v.object({ ...source.entries, url: v.string(), bytes: count }))),
    bytes: count,
    durationMs: v.number(),
  }),
  v.object({ kind: v.literal('failed'), digest, code: v.string(), message: v.string() }),
  v.object({
    kind: v.literal('warning'),
    code: v.string(),
    message: v.string(),
    hint: v.exactOptional(v.string()),
  }),
]);

/** What a node tells while it pulls: the events of `pull --progress json` that show its layers. */
export type NodeEvent = v.InferOutput<typeof event>;

/** Longest line that is looked at, in characters: the `resolved` event of an image with a thousand layers is shorter. */
const maxLineLength = 1_048_576;

/**
 * One line of a node's stderr: an event, `'other'` for a JSON object of another kind, and undefined for a line that is
 * meant for people.
 */
export function parseEventLine(line: string): NodeEvent | 'other' | undefined {
  const value = line.startsWith('{') && line.length <= maxLineLength ? parseJson(line) : undefined;
  if (value === undefined) return undefined;
  const result = safely(() => v.safeParse(event, value));
  return result?.success ? result.output : 'other';
}

/** Undefined for what is not JSON. */
export function parseJson(text: string): unknown {
  return safely(() => JSON.parse(text));
}

function safely<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
