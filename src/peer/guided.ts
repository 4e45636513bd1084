import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { isLayerpullError } from '../core/errors.ts';
import type { PeerSource, Source, SourceGuide } from '../lock/sources.ts';
import { hostOf, reasonOf } from '../source/all-failed.ts';
import type { BlobSource, OpenBlob, SourceUse, Standing } from '../source/blob-source.ts';
import { isTransient } from '../source/transient.ts';
import type { Peers } from './client.ts';
import { type BadPeer, knownBad, reportOf } from './complaint.ts';
import type { PeerHealth } from './peer-health.ts';
import { judge } from './verdict.ts';

export interface GuidedOptions {
  readonly guide: SourceGuide;
  /** Tells `onSource` and asks `standing` by itself, as a list of sources does. */
  readonly registry: BlobSource;
  readonly peers: Peers;
  /** Shared by all layers of a pull. */
  readonly health: PeerHealth;
  readonly clock: Clock;
}

/**
 * A blob read where the guide says: from peers and from the registry, one after the other, each going on from the byte
 * that was reached. A peer that fails is reported, one that is told to be left is left at once; where no peer may be
 * read the registry is, so the cost of peers is bounded. Its errors are those of the registry.
 */
export function guided(options: GuidedOptions): BlobSource {
  return {
    url: options.registry.url,
    open: (descriptor, request) => openGuided(options, descriptor, request),
  };
}

async function* openGuided(options: GuidedOptions, descriptor: Descriptor, request: OpenBlob) {
  const read = new GuidedRead(options, descriptor, request);
  try {
    yield* read.bytes();
  } finally {
    read.stop();
  }
}

const registry: Source = { kind: 'registry' };
/** Sources in a row that give no byte until the registry gives the rest. */
const maxFruitless = 8;
/** A server that moves a reader for ever does not keep it for ever. */
const maxSwitches = 1_000;
/** Milliseconds to find a peer where the registry has failed. */
const rescueMs = 5_000;

/** So often a pull begins again with what others are only downloading themselves. */
const maxRelayRestarts = 1;
/**
 * Milliseconds before it does: those from whom the wrong bytes came find out at about the same time, and what the server
 * knows of them is up to a second old.
 */
const restartPauseMs = 1_500;

/** Where to read next, and why not where one read before. */
interface Step {
  readonly source: Source;
  readonly reason?: string;
}

class GuidedRead {
  readonly #options: GuidedOptions;
  readonly #descriptor: Descriptor;
  readonly #request: OpenBlob;
  readonly #stopMoves: () => void;
  /** Peers that were reported, by url. */
  readonly #left = new Set<string>();
  #reached: number;
  #current: Source | undefined;
  /** Where the server sent us, unasked; what is under way ends then. */
  #move: Source | undefined;
  #moving = new AbortController();
  /** Reads in a row that brought no byte. */
  #fruitless = 0;
  #switches = 0;
  /** How often in a row nothing was held against the peer that gave nothing, and how often in all one was slow. */
  #patience = 0;
  #slowReads = 0;
  #isRescued = false;

  constructor(options: GuidedOptions, descriptor: Descriptor, request: OpenBlob) {
    this.#options = options;
    this.#descriptor = descriptor;
    this.#request = request;
    this.#reached = request.offset ?? 0;
    this.#stopMoves = options.guide.onMove((source) => this.#hearMove(source));
  }

  stop(): void {
    this.#stopMoves();
  }

  async *bytes(): AsyncGenerator<Uint8Array> {
    let step = await this.#first();
    while (this.#reached < this.#descriptor.size) {
      let failure: { readonly error: unknown } | undefined;
      try {
        for await (const chunk of this.#open(step)) {
          this.#count(step.source, chunk);
          yield chunk;
          if (this.#move) break;
        }
      } catch (error) {
        this.#request.signal.throwIfAborted();
        failure = { error };
      }
      if (this.#reached >= this.#descriptor.size || (!failure && !this.#move)) return;
      step = await this.#next(step.source, failure?.error);
    }
  }

  async #first(): Promise<Step> {
    const { source } = this.#options.guide;
    const bad = knownBad(this.#options.health, this.#descriptor, this.#request, source);
    const isAgain = this.#restarts > 0 && this.#reached === 0;
    if (!bad && isAgain) await this.#pauseFor(source);
    const isGood =
      source.kind === 'registry' || (this.#standingOf(source) !== 'wrong' && this.#mayRelay(source));
    return { source: this.#usable(bad || isAgain || !isGood ? await this.#ask(bad) : source) };
  }

  async #pauseFor(source: Source): Promise<void> {
    if (source.kind === 'peer') await this.#options.clock.sleep(restartPauseMs, this.#request.signal);
  }

  #open({ source, reason }: Step): AsyncIterable<Uint8Array> {
    const { registry, peers, health } = this.#options;
    this.#current = source;
    this.#switches += 1;
    this.#fruitless += 1;
    const because = reason === undefined ? {} : { reason };
    const request = { ...this.#request, offset: this.#reached, signal: this.#signal };
    if (source.kind === 'registry') {
      const onSource = (use: SourceUse) => this.#request.onSource?.({ ...because, ...use });
      return registry.open(this.#descriptor, { ...request, onSource });
    }
    health.used(this.#descriptor.digest, source);
    this.#request.onSource?.({ url: source.url, offset: this.#reached, ...because });
    return peers.blobs(source.url).open(this.#descriptor, request);
  }

  /** Ends with the request, and when the server sends us elsewhere. */
  get #signal(): AbortSignal {
    return AbortSignal.any([this.#request.signal, this.#moving.signal]);
  }

  #count(source: Source, chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#reached += chunk.length;
    this.#patience = 0;
    this.#fruitless = 0;
    if (source.kind === 'registry') return;
    this.#isRescued = false;
    this.#options.health.gaveBytes();
  }

  async #next(from: Source, error: unknown): Promise<Step> {
    const moved = this.#takeMove();
    if (moved) return moved;
    return from.kind === 'registry' ? await this.#rescue(error) : await this.#leave(from, error);
  }

  /** A peer failed. */
  async #leave(peer: PeerSource, error: unknown): Promise<Step> {
    const { peers, health, clock } = this.#options;
    const isSlow = isLayerpullError(error) && error.code === 'timed_out';
    const patience = isSlow ? this.#slowReads : this.#patience;
    const failed = { peer, descriptor: this.#descriptor, reached: this.#reached, error, patience };
    const verdict = await judge(peers, failed, this.#signal).catch((cause: unknown) => {
      this.#request.signal.throwIfAborted();
      if (!this.#move) throw cause;
    });
    const moved = this.#takeMove();
    if (!verdict || moved) return moved ?? { source: registry };
    const reason = `${hostOf(peer.url)} ${verdict.reason}`;
    if (verdict.kind === 'patience') {
      if (isSlow) this.#slowReads += 1;
      else this.#patience += 1;
      if (verdict.pauseMs > 0) await clock.sleep(verdict.pauseMs, this.#request.signal);
      return { source: this.#usable(await this.#ask()), reason };
    }
    if (verdict.fault) health.failed(peer.url, verdict.fault);
    this.#left.add(peer.url);
    return { source: this.#usable(await this.#ask({ peer, reason: verdict.reason })), reason };
  }

  /** The registry failed: once, before that counts, a peer may help. @throws `error` */
  async #rescue(error: unknown): Promise<Step> {
    if (this.#isRescued || !mayOthersHelp(error)) throw error;
    this.#isRescued = true;
    const asked = await this.#askWithin(rescueMs);
    const source = this.#isUsable(asked) || this.#isLastResort(asked) ? asked : registry;
    if (source.kind === 'registry') throw error;
    const { url } = this.#options.registry;
    return {
      source,
      reason: `${hostOf(url)} ${isLayerpullError(error) ? reasonOf({ url, error }) : 'failed'}`,
    };
  }

  async #askWithin(ms: number): Promise<Source> {
    const late = new AbortController();
    const { clock } = this.#options;
    const timer = clock.sleep(ms, late.signal).then(
      () => registry,
      () => registry,
    );
    const over = new AbortController();
    try {
      return await Promise.race([this.#ask(undefined, over.signal), timer]);
    } finally {
      late.abort();
      over.abort();
    }
  }

  /** Reports, and hears where to go on: by the answer, or by a word of the server that comes before it. */
  async #ask(bad?: BadPeer, over?: AbortSignal): Promise<Source> {
    const report = reportOf(this.#reached, this.#restarts, bad);
    // What is proved is told, whatever the server says meanwhile.
    const signals = [bad?.wrongBytes ? this.#request.signal : this.#signal, ...(over ? [over] : [])];
    try {
      const source = await this.#options.guide.next(report, AbortSignal.any(signals));
      return this.#takeMove()?.source ?? source;
    } catch {
      this.#request.signal.throwIfAborted();
      return this.#takeMove()?.source ?? registry;
    }
  }

  #hearMove(source: Source): void {
    if (isSamePlace(source, this.#current) || !this.#isUsable(source)) return;
    this.#move = source;
    this.#moving.abort(new Error('moved'));
  }

  #takeMove(): Step | undefined {
    const source = this.#move;
    if (!source) return undefined;
    this.#move = undefined;
    this.#moving = new AbortController();
    return { source: this.#usable(source), reason: 'the lock server names another source' };
  }

  /** The registry stands in for a peer that may not be read. */
  #usable(source: Source): Source {
    return this.#isUsable(source) ? source : registry;
  }

  #isUsable(source: Source): boolean {
    if (this.#switches >= maxSwitches)
      return source.kind === 'registry' && this.#current?.kind !== 'registry';
    if (source.kind === 'registry') return true;
    return this.#isWorthATry(source) && this.#mayRelay(source) && this.#standingOf(source) === 'good';
  }

  /** Bytes that nobody could check yet are taken once more after they were wrong, and then no more. */
  #mayRelay({ complete }: PeerSource): boolean {
    return complete || this.#restarts <= maxRelayRestarts;
  }

  get #restarts(): number {
    return this.#request.restarts ?? 0;
  }

  /** One that may be to blame for wrong bytes is read when all else has failed, alone. */
  #isLastResort(source: Source): boolean {
    return source.kind === 'peer' && this.#isWorthATry(source) && this.#standingOf(source) === 'doubtful';
  }

  #isWorthATry({ url }: PeerSource): boolean {
    const { health } = this.#options;
    if (health.isOver || health.isTooSlow(url) || this.#left.has(url)) return false;
    return this.#fruitless < maxFruitless;
  }

  #standingOf({ url }: PeerSource): Standing['kind'] {
    return this.#request.standing?.(url).kind ?? 'good';
  }
}

/** What may pass, and what is known of the registry's bytes; not its word on whether they exist and who may have them. */
function mayOthersHelp(error: unknown): boolean {
  return isTransient(error) || (isLayerpullError(error) && error.code === 'digest_mismatch');
}

function isSamePlace(one: Source, other: Source | undefined): boolean {
  if (one.kind === 'registry' || other?.kind !== 'peer') return one.kind === other?.kind;
  return one.url === other.url && one.sessionId === other.sessionId;
}
