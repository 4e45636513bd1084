import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { abortable } from '../../core/abort.ts';
import { LayerpullError, systemCodeOf } from '../../core/errors.ts';
import { fileMode, syncFolder } from '../files.ts';
import { refusal, writing } from './failure.ts';

/** Where the bytes of an archive go, one after the other. */
export interface Sink {
  write(bytes: Uint8Array): Promise<void>;
  /** All is written: makes it visible and durable. */
  commit(): Promise<void>;
  /** Leaves nothing behind where that is possible. Idempotent. */
  discard(): Promise<void>;
}

export interface Target {
  /** For people. */
  readonly name: string;
  /** @throws LayerpullError `output_failed` */
  check(): Promise<void>;
  open(signal: AbortSignal): Promise<Sink>;
}

/** A file, which is replaced by a rename once its successor is whole. A link is followed. */
export function fileTarget(file: string): Target {
  return {
    name: file,
    check: () => writing(file, async () => await access(path.dirname(await resolved(file)), constants.W_OK)),
    open: () => writing(file, async () => await openDraft(file, await resolved(file))),
  };
}

/** The file behind a link. Devices and pipes cannot be replaced by a rename, and must not be. */
async function resolved(file: string): Promise<string> {
  const real = await realpath(file).catch(async (error) => {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    return path.join(await realpath(path.dirname(file)), path.basename(file));
  });
  const stats = await stat(real).catch(() => undefined);
  if (!stats || stats.isFile()) return real;
  throw refusal(
    `cannot write ${file}: it is ${stats.isDirectory() ? 'a folder' : 'not a file'}`,
    'give the path of a file, or - for stdout',
  );
}

async function openDraft(file: string, target: string): Promise<Sink> {
  const draft = path.join(path.dirname(target), `.layerpull-${randomUUID()}.part`);
  const handle = await open(draft, 'wx', fileMode);
  const discard = async () => {
    await handle.close().catch(() => {});
    await rm(draft, { force: true }).catch(() => {});
  };
  return {
    write: (bytes) => writing(file, () => writeAll(handle, bytes)),
    commit: () =>
      writing(file, async () => {
        await handle.sync();
        await handle.close();
        await rename(draft, target);
        await syncFolder(path.dirname(target));
      }),
    discard,
  };
}

export async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length; ) {
    offset += (await handle.write(bytes, offset)).bytesWritten;
  }
}

/** A stream that others read while it is written, such as stdout: it stays open, and nothing can be taken back. */
export function streamTarget(stream: Writable): Target {
  return {
    name: 'stdout',
    check: async () => {},
    open: async (signal) => {
      // Stays: an error may come after the last write. Each write hears of its own.
      stream.on('error', () => {});
      return {
        write: (bytes) => abortable(writeTo(stream, bytes), signal),
        commit: async () => {},
        discard: async () => {},
      };
    },
  };
}

function writeTo(stream: Writable, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(bytes, (error) => (error ? reject(streamFailure(error)) : resolve()));
  });
}

function streamFailure(cause: Error): LayerpullError {
  if (systemCodeOf(cause) === 'EPIPE') {
    return new LayerpullError('output_closed', 'the reader of stdout went away', { cause });
  }
  return refusal(`cannot write to stdout: ${cause.message}`, 'look at what reads it', cause);
}
