import { abortable } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { LayerpullError } from '../core/errors.ts';
import type { BlobSource } from '../source/blob-source.ts';
import type { BlobStore, ByteRange } from '../store/blob-store.ts';
import { type BringBlob, type Flight, Flights } from './mirror-flights.ts';

/** Reads blobs that are still being written into the store. */
export interface FollowedBlobs {
  /** Undefined where the blob is neither there nor being written. */
  open(digest: Digest): Promise<FollowedBlob | undefined>;
}

export interface FollowedBlob {
  /** Ends with the range; throws when the writer gives up before. */
  read(range: ByteRange, signal: AbortSignal): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

export interface MirrorLayersOptions {
  readonly blobs: BlobStore;
  readonly bring: BringBlob;
  readonly clock: Clock;
  /** Default: a blob is read once it is whole. */
  readonly follow?: FollowedBlobs | undefined;
}

export interface MirrorLayers {
  /** Resolves once the blob is in the store. */
  bring(name: string, descriptor: Descriptor, source: BlobSource, signal: AbortSignal): Promise<void>;
  /** The blob's bytes as they come. */
  read(
    name: string,
    descriptor: Descriptor,
    source: BlobSource,
    range: ByteRange,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
  /** Ends downloads; what they have is kept. Idempotent. */
  close(): Promise<void>;
}

/** Milliseconds between two looks for a blob that is about to be written. */
const lookEveryMs = 25;
/** What was there and went away is brought again, so often. */
const maxRounds = 5;

/** The blobs of a store for clients of a mirror: each is brought once, however many ask for it. */
export function createMirrorLayers(options: MirrorLayersOptions): MirrorLayers {
  const { blobs, clock } = options;
  const flights = new Flights(options.bring, clock);
  return {
    async bring(name, descriptor, source, signal) {
      if (!(await blobs.has(descriptor))) await flights.wait(name, descriptor, source, signal);
    },
    async *read(name, descriptor, source, range, signal) {
      let { start } = range;
      for (let round = 1; start <= range.end; round += 1) {
        const rest = { start, end: range.end };
        if (await blobs.has(descriptor)) return yield* await blobs.open(descriptor.digest, rest);
        if (round > maxRounds) throw keepsVanishing(descriptor);
        const { flight, isJoined, leave } = flights.enter(name, descriptor, source);
        try {
          for await (const chunk of follow(options, descriptor.digest, flight, rest, signal)) {
            start += chunk.length;
            yield chunk;
          }
        } catch (error) {
          signal.throwIfAborted();
          // Why it ended is known to whoever wrote; one that goes on begins with another file.
          if (flight.hasEnded && !isJoined) await flight.done;
          else if (flight.hasEnded && round === maxRounds) throw error;
          else await clock.sleep(lookEveryMs, signal);
        } finally {
          leave();
        }
      }
    },
    close: () => flights.close(),
  };
}

/** What is written, as it is written. Without anybody who follows: nothing, once the flight has ended well. */
async function* follow(
  options: MirrorLayersOptions,
  digest: Digest,
  flight: Flight,
  range: ByteRange,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const blob = await openFollowed(options, digest, flight, signal);
  if (!blob) return await abortable(flight.done, signal);
  try {
    yield* blob.read(range, signal);
  } finally {
    await blob.close();
  }
}

/** As soon as somebody writes it; undefined once the flight has ended. */
async function openFollowed(
  { follow, clock }: MirrorLayersOptions,
  digest: Digest,
  flight: Flight,
  signal: AbortSignal,
): Promise<FollowedBlob | undefined> {
  while (follow && !flight.hasEnded) {
    signal.throwIfAborted();
    const blob = await follow.open(digest);
    if (blob) return blob;
    await clock.sleep(lookEveryMs, signal);
  }
  return undefined;
}

function keepsVanishing({ digest }: Descriptor): LayerpullError {
  return new LayerpullError('store_failed', `${digest} keeps vanishing from the store`, {
    hint: 'see what else removes files there',
  });
}
