import { Worker } from 'node:worker_threads';
import { type Deferred, deferred } from '../core/abort.ts';
import type { Digest, DigestAlgorithm } from '../core/digest.ts';
import { type OpenSink, openInlineSink, type Sink } from './sink.ts';
import type { SinkFailure, SinkOrder, SinkReport } from './sink-messages.ts';

/** Bytes of a block. Large enough that a block is worth its message. */
const blockBytes = 1_048_576;
/** Blocks of one file that the thread has at once: one that it works on, and the next. */
const blocksPerFile = 2;

/**
 * Opens sinks whose bytes are hashed and written by one thread of its own, which takes half the work off a pull. The
 * thread starts with the first sink and keeps the process alive only while it has something to do. Should it fail, what
 * it had fails, and later sinks do without it.
 *
 * @param program the thread's file, as it was built
 */
export function createThreadSinks(program: URL): OpenSink {
  let thread: SinkThread | undefined;
  return (handle, algorithm, onAppended = () => {}) => {
    thread ??= new SinkThread(program);
    return thread.isBroken
      ? openInlineSink(handle, algorithm, onAppended)
      : thread.open(handle.fd, algorithm, onAppended);
  };
}

class SinkThread {
  readonly #worker: Worker;
  readonly #files = new Map<number, ThreadSink>();
  readonly #free: SharedArrayBuffer[] = [];
  #nextFile = 1;
  #busy = 0;
  isBroken = false;

  constructor(program: URL) {
    this.#worker = new Worker(program, { execArgv: [], stdin: false });
    this.#worker.unref();
    this.#worker.on('message', (report: SinkReport) => this.#files.get(report.file)?.hear(report));
    this.#worker.on('error', (error) => this.#break(error));
    this.#worker.on('exit', () => this.#break(new Error('the thread that writes ended')));
  }

  open(fd: number, algorithm: DigestAlgorithm, onAppended: () => void): Sink {
    const file = this.#nextFile;
    this.#nextFile += 1;
    const sink = new ThreadSink({ file, algorithm, onAppended }, this);
    this.#files.set(file, sink);
    this.send({ kind: 'open', file, fd, algorithm });
    return sink;
  }

  send(order: SinkOrder): void {
    this.#worker.postMessage(order);
  }

  take(): SharedArrayBuffer {
    return this.#free.pop() ?? new SharedArrayBuffer(blockBytes);
  }

  give(block: SharedArrayBuffer): void {
    this.#free.push(block);
  }

  /** The process must not end while something is on its way. */
  wait(count: 1 | -1): void {
    this.#busy += count;
    if (this.#busy > 0) this.#worker.ref();
    else this.#worker.unref();
  }

  forget(file: number): void {
    if (!this.#files.delete(file)) return;
    if (!this.isBroken) this.send({ kind: 'forget', file });
  }

  #break(error: Error): void {
    this.isBroken = true;
    for (const sink of this.#files.values()) sink.fail({ message: error.message });
  }
}

interface ThreadFile {
  readonly file: number;
  readonly algorithm: DigestAlgorithm;
  readonly onAppended: () => void;
}

class ThreadSink implements Sink {
  readonly #file: number;
  readonly #algorithm: DigestAlgorithm;
  readonly #onAppended: () => void;
  readonly #thread: SinkThread;
  /** Blocks that the thread has. */
  #pending = 0;
  #failure: SinkFailure | undefined;
  #room: Deferred<void> | undefined;
  #end: Deferred<Digest> | undefined;

  constructor({ file, algorithm, onAppended }: ThreadFile, thread: SinkThread) {
    this.#file = file;
    this.#algorithm = algorithm;
    this.#onAppended = onAppended;
    this.#thread = thread;
  }

  async append(pieces: readonly Uint8Array[]): Promise<void> {
    let block = new Block(this.#thread.take());
    for (const piece of pieces) {
      for (let taken = 0; taken < piece.length; ) {
        taken += block.fill(piece, taken);
        if (!block.isFull) continue;
        await this.#hand(block);
        block = new Block(this.#thread.take());
      }
    }
    if (block.bytes > 0) await this.#hand(block);
    else this.#thread.give(block.buffer);
  }

  async finish(): Promise<Digest> {
    this.#throwIfFailed();
    this.#end = deferred();
    this.#thread.wait(1);
    this.#thread.send({ kind: 'finish', file: this.#file });
    try {
      return await this.#end.promise;
    } finally {
      this.#thread.wait(-1);
      this.#thread.forget(this.#file);
    }
  }

  async settle(): Promise<void> {
    while (this.#pending > 0 && !this.#thread.isBroken) await this.#roomMade();
    this.#thread.forget(this.#file);
  }

  hear(report: SinkReport): void {
    if (report.kind === 'finished') this.#end?.resolve(`${this.#algorithm}:${report.hex}` as Digest);
    else if (report.kind === 'unfinished') this.fail(report.failure);
    else this.#takeBack(report.block, report.failure);
  }

  fail(failure: SinkFailure): void {
    this.#failure ??= failure;
    this.#end?.reject(asError(this.#failure));
    this.#tellRoom();
  }

  #takeBack(block: SharedArrayBuffer, failure: SinkFailure | undefined): void {
    this.#pending -= 1;
    this.#thread.wait(-1);
    this.#thread.give(block);
    if (failure) this.fail(failure);
    else this.#onAppended();
    this.#tellRoom();
  }

  async #hand({ buffer: block, bytes }: Block): Promise<void> {
    while (this.#pending >= blocksPerFile && !this.#failure) await this.#roomMade();
    this.#throwIfFailed();
    this.#pending += 1;
    this.#thread.wait(1);
    this.#thread.send({ kind: 'append', file: this.#file, block, bytes });
  }

  #roomMade(): Promise<void> {
    this.#room ??= deferred();
    return this.#room.promise;
  }

  #tellRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  #throwIfFailed(): void {
    if (this.#failure) throw asError(this.#failure);
  }
}

/** A block that is being filled. */
class Block {
  readonly buffer: SharedArrayBuffer;
  readonly #view: Uint8Array;
  bytes = 0;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#view = new Uint8Array(buffer);
  }

  get isFull(): boolean {
    return this.bytes === this.#view.length;
  }

  /** Takes of `piece`, from `start` on, what there is room for. Answers how many bytes that is. */
  fill(piece: Uint8Array, start: number): number {
    const count = Math.min(piece.length - start, this.#view.length - this.bytes);
    this.#view.set(piece.subarray(start, start + count), this.bytes);
    this.bytes += count;
    return count;
  }
}

function asError({ message, code }: SinkFailure): Error {
  return Object.assign(new Error(message), code === undefined ? {} : { code });
}
