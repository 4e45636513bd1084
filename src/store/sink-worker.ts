// Runs in a thread of its own: hashes and writes what the main thread received, so that receiving goes on meanwhile.
import { createHash, type Hash } from 'node:crypto';
import { fdatasyncSync, writeSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import type { SinkFailure, SinkOrder, SinkReport } from './sink-messages.ts';

interface OpenFile {
  readonly fd: number;
  readonly hash: Hash;
  failure?: SinkFailure;
}

const files = new Map<number, OpenFile>();

parentPort?.on('message', (order: SinkOrder) => {
  if (order.kind === 'open') {
    files.set(order.file, { fd: order.fd, hash: createHash(order.algorithm) });
  } else if (order.kind === 'forget') {
    files.delete(order.file);
  } else {
    const file = files.get(order.file);
    if (file) parentPort?.postMessage(obey(order, file));
  }
});

function obey(order: Extract<SinkOrder, { kind: 'append' | 'finish' }>, file: OpenFile): SinkReport {
  if (order.kind === 'append') {
    attempt(file, () => append(file, new Uint8Array(order.block, 0, order.bytes)));
    const failure = file.failure ? { failure: file.failure } : {};
    return { kind: 'appended', file: order.file, block: order.block, ...failure };
  }
  attempt(file, () => fdatasyncSync(file.fd));
  if (file.failure) return { kind: 'unfinished', file: order.file, failure: file.failure };
  return { kind: 'finished', file: order.file, hex: file.hash.digest('hex') };
}

/** After a failure the file and the hash differ: nothing more is written. */
function attempt(file: OpenFile, work: () => void): void {
  if (file.failure) return;
  try {
    work();
  } catch (error) {
    file.failure = {
      message: error instanceof Error ? error.message : String(error),
      ...(error instanceof Error && 'code' in error ? { code: String(error.code) } : {}),
    };
  }
}

function append({ fd, hash }: OpenFile, bytes: Uint8Array): void {
  hash.update(bytes);
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(fd, bytes, written, bytes.length - written);
  }
}
