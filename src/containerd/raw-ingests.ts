import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import type { Clock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { RawIngest, type RawState, removeFiles } from './raw-ingest.ts';
import { algorithmIn } from './refs.ts';
import { Refusal } from './refusal.ts';

/**
 * `ingest/<hash of the ref>.data`, the bytes, and `.json` beside it: `{ format: 1, ref, startedAtMs, total }`. They
 * outlive the process, as containerd goes on with an ingest after a restart.
 */
const noteSchema = v.object({
  format: v.literal(1),
  ref: v.string(),
  startedAtMs: v.number(),
  total: v.pipe(v.number(), v.integer(), v.minValue(0)),
});

/** Of a file that has to be read again after a restart, this much is read while its client waits. */
const readAtOnceBytes = 16_777_216;

export interface RawIngestsOptions {
  /** Folder of the files; made where there is none. */
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Ingests of blobs of which only the bytes that come are known, by their refs. */
export class RawIngests {
  readonly #options: RawIngestsOptions;
  readonly #states = new Map<string, RawState>();
  readonly #reading = new Map<string, Promise<void>>();
  readonly #closing = new AbortController();

  constructor(options: RawIngestsOptions) {
    this.#options = options;
  }

  /** Finds what an earlier process left. */
  async load(): Promise<void> {
    const { folder } = this.#options;
    await mkdir(folder, { recursive: true });
    const names = await readdir(folder);
    for (const name of names.filter((one) => one.endsWith('.json'))) {
      await this.#loadOne(path.join(folder, name));
    }
    const lost = names.filter(
      (one) => one.endsWith('.data') && !names.includes(one.replace(/data$/, 'json')),
    );
    await removeFiles(...lost.map((name) => path.join(folder, name)));
  }

  states(): Iterable<RawState> {
    return this.#states.values();
  }

  get(ref: string): RawState | undefined {
    return this.#states.get(ref);
  }

  /** Where the file of a ref is. */
  dataFile(ref: string): string {
    return `${this.#base(ref)}.data`;
  }

  /**
   * Begins an ingest, or goes on with it. One for which another total was stated begins again.
   * @throws Refusal `unavailable` while much has to be read again
   */
  async open(ref: string, total: number): Promise<RawIngest> {
    const known = this.#states.get(ref);
    const isOther = known !== undefined && total > 0 && known.total > 0 && known.total !== total;
    if (isOther) await this.remove(ref);
    const state = (isOther ? undefined : known) ?? (await this.#begin(ref, total));
    if (!state.hash && state.offset > readAtOnceBytes) {
      this.#startReading(state);
      throw new Refusal('unavailable', `ref ${ref} locked: what is there of it is being read`);
    }
    return await this.#open(state);
  }

  /** Ends what runs in the background. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort(new Refusal('unavailable', 'the content plugin is ending'));
    await Promise.all(this.#reading.values());
  }

  /** Removes an ingest that nobody writes. Answers whether there was one. */
  async remove(ref: string): Promise<boolean> {
    if (!this.#states.has(ref)) return false;
    // First the note: without it the bytes are nobody's.
    await removeFiles(`${this.#base(ref)}.json`, this.dataFile(ref));
    return this.#states.delete(ref);
  }

  async #open(state: RawState): Promise<RawIngest> {
    const { clock } = this.#options;
    const { signal } = this.#closing;
    const { ref } = state;
    return await RawIngest.open(
      { data: this.dataFile(ref), algorithm: algorithmIn(ref), clock, signal },
      state,
    );
  }

  #startReading(state: RawState): void {
    const { ref } = state;
    if (this.#reading.has(ref)) return;
    const { log } = this.#options;
    const reading = this.#open(state)
      .then((ingest) => ingest.close())
      .catch((error: unknown) => log.warn({ ref, reason: messageOf(error) }, 'an ingest cannot be read'))
      .finally(() => this.#reading.delete(ref));
    this.#reading.set(ref, reading);
  }

  async #begin(ref: string, total: number): Promise<RawState> {
    const startedAtMs = this.#options.clock.wallNow();
    await removeFiles(this.dataFile(ref));
    await writeFile(`${this.#base(ref)}.json`, JSON.stringify({ format: 1, ref, startedAtMs, total }));
    const state: RawState = { ref, startedAtMs, updatedAtMs: startedAtMs, total, offset: 0, hash: undefined };
    this.#states.set(ref, state);
    return state;
  }

  async #loadOne(file: string): Promise<void> {
    const data = file.replace(/\.json$/, '.data');
    try {
      const { ref, startedAtMs, total } = v.parse(noteSchema, JSON.parse(await readFile(file, 'utf8')));
      if (this.dataFile(ref) !== data) throw new Error('it speaks of another ref');
      const stats = await stat(data).catch(() => undefined);
      const offset = stats?.size ?? 0;
      const updatedAtMs = stats?.mtimeMs ?? startedAtMs;
      this.#states.set(ref, { ref, startedAtMs, updatedAtMs, total, offset, hash: undefined });
    } catch (error) {
      this.#options.log.warn({ file, reason: messageOf(error) }, 'an ingest cannot be gone on with');
      await removeFiles(file, data);
    }
  }

  #base(ref: string): string {
    const name = createHash('sha256').update(ref).digest('hex').slice(0, 32);
    return path.join(this.#options.folder, name);
  }
}
