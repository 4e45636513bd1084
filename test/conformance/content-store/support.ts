import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import type { Timestamp, WriteRequest } from '../../../src/containerd/proto/messages.ts';
import { type Digest, digestOf } from '../../../src/core/digest.ts';
import type { ContentClient, TestWriter } from '../../support/content-client.ts';
import { soon } from '../../support/soon.ts';

export type MakeClient = () => Promise<ContentClient>;

export interface RandomContent {
  readonly bytes: Buffer;
  readonly digest: Digest;
}

export function randomContent(size: number): RandomContent {
  const bytes = randomBytes(size);
  return { bytes, digest: digestOf(bytes) };
}

export async function writePieces(writer: TestWriter, bytes: Uint8Array, pieceBytes: number): Promise<void> {
  for (let at = 0; at < bytes.length; at += pieceBytes)
    await writer.write(bytes.subarray(at, at + pieceBytes));
}

/** containerd removes what nothing keeps. */
export const keptLabels = { 'containerd.io/gc.root': '2024-05-01T00:00:00Z' };

/** Writes a blob whole. */
export async function put(
  client: ContentClient,
  ref: string,
  { bytes, digest }: RandomContent,
  labels: Readonly<Record<string, string>> = {},
): Promise<void> {
  const writer = await client.writer(ref, { total: bytes.length });
  if (bytes.length > 0) await writer.write(bytes);
  await writer.commit({ total: bytes.length, expected: digest, labels: { ...keptLabels, ...labels } });
  await writer.ended;
}

export function toMs(timestamp: Timestamp | null): number {
  return timestamp ? timestamp.seconds * 1_000 + timestamp.nanos / 1_000_000 : Number.NaN;
}

/**
 * As containerd opens a writer: again and again while the reference is taken. Whoever closes a stream does not wait
 * until that has reached the store behind the next service.
 */
export async function openWriter(
  client: ContentClient,
  ref: string,
  first: Partial<WriteRequest> = {},
): Promise<TestWriter> {
  let writer: TestWriter | undefined;
  await soon(async () => {
    writer = await client.writer(ref, first).catch(unlessTaken);
    if (!writer) throw new Error(`${ref} is taken`);
  });
  if (!writer) throw new Error(`${ref} was not opened`);
  return writer;
}

function unlessTaken(error: unknown): undefined {
  if (Object(error).code !== 'UNAVAILABLE') throw error;
  return undefined;
}

/** A moment between the first and now, both included, as far as milliseconds tell. */
export function expectSince(timestamp: Timestamp | null, firstMs: number): void {
  expect(toMs(timestamp)).toBeGreaterThanOrEqual(Math.floor(firstMs));
  expect(toMs(timestamp)).toBeLessThanOrEqual(Date.now() + 1);
}

/** Another stream gets nowhere. */
export async function expectTaken(client: ContentClient, ref: string): Promise<void> {
  await expect(client.writer(ref)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
}
