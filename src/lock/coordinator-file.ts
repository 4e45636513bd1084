import { constants, readFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import * as v from 'valibot';
import type { Clock } from '../core/clock.ts';

/**
 * What `STORE/coordinator.lock` says of whoever coordinates the store, as one JSON document:
 * `{ format: 1, epoch, pid, host, kernel, clean }`. `epoch` grows by one with each coordinator; `kernel` tells hosts
 * apart (two containers on one kernel can share a socket, two kernels cannot); `clean` says that the coordinator
 * ended with nobody else depending on it; `agent` that it is the agent of the store, which speaks for all its processes
 * to a lock server; `trust` where that one's files are, by which it and its fleet know each other.
 */
export type CoordinatorRecord = v.InferOutput<typeof recordSchema>;

const recordSchema = v.object({
  format: v.literal(1),
  epoch: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  pid: v.number(),
  host: v.string(),
  kernel: v.string(),
  clean: v.boolean(),
  agent: v.optional(v.boolean()),
  trust: v.optional(
    v.object({
      tokenFile: v.optional(v.string()),
      pair: v.optional(v.object({ certFile: v.string(), keyFile: v.string() })),
      caFile: v.optional(v.string()),
    }),
  ),
});

/** Absolute paths of tokens and certificates. */
export type AgentTrust = NonNullable<CoordinatorRecord['trust']>;

/** Unlike `a+`, which writes at the end whatever place is given. */
const readAndWrite = constants.O_RDWR | constants.O_CREAT;
/** Three missed signs of life. */
const freshMs = 15_000;
/** Room for the longest paths that there are. */
const maxRecordBytes = 65_536;
/** Room for the longest name of a host. */
const recordBytes = 512;

/** Undefined for what is no record, or not yet. */
export function parseRecord(text: string): CoordinatorRecord | undefined {
  try {
    return v.parse(recordSchema, JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The lock file of a store. The lock lasts as long as the file is open: the kernel frees it even after SIGKILL. */
export class CoordinatorFile {
  readonly #file: FileHandle;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async open(store: string): Promise<CoordinatorFile> {
    return new CoordinatorFile(await open(path.join(store, 'coordinator.lock'), readAndWrite, 0o644));
  }

  async tryLock(): Promise<boolean> {
    const { default: locks } = await import('fs-native-extensions');
    return locks.tryLock(this.#file.fd);
  }

  /** Undefined when there is none, or while it is being written. */
  async read(): Promise<CoordinatorRecord | undefined> {
    const buffer = Buffer.alloc(maxRecordBytes);
    const { bytesRead } = await this.#file.read(buffer, 0, maxRecordBytes, 0);
    return parseRecord(buffer.toString('utf8', 0, bytesRead));
  }

  /**
   * Only the holder of the lock writes. Over what was there, in one piece and always as long: that needs no room on a
   * disk that is full, and the epoch is not lost.
   */
  async write(record: CoordinatorRecord): Promise<void> {
    const bytes = Buffer.from(JSON.stringify(record).padEnd(recordBytes));
    await this.#file.write(bytes, 0, bytes.length, 0);
    await this.#file.truncate(bytes.length);
    await this.#file.datasync();
  }

  /** Leaves a sign of life for hosts that do not see the lock. Best effort. */
  touch(clock: Clock): void {
    const now = new Date(clock.wallNow());
    this.#file.utimes(now, now).catch(() => {});
  }

  /** Whether somebody left a sign of life in the last 15 seconds. */
  async isFresh(clock: Clock): Promise<boolean> {
    const { mtimeMs } = await this.#file.stat();
    return Math.abs(clock.wallNow() - mtimeMs) < freshMs;
  }

  /** Frees the lock. */
  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** This host, as the record names it. */
export function thisHost(): Pick<CoordinatorRecord, 'host' | 'kernel' | 'pid'> {
  return { host: os.hostname(), kernel: kernelId(), pid: process.pid };
}

/** Linux gives each boot of a kernel an id that all its containers see; elsewhere the host's name has to do. */
function kernelId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return os.hostname();
  }
}
