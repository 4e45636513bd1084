import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { pauseAfter } from '../core/retry.ts';
import type { BlobSource, OpenBlob } from './blob-source.ts';
import { pauses, retriesAfter } from './retry-table.ts';

export interface ResumeOptions {
  readonly clock: Clock;
  /** Tries in a row that may bring no byte before the failure is final. Default: what the retry table says. */
  readonly retries?: number;
  /** Pause before the first retry, in milliseconds; doubles with each. Default 500. */
  readonly delayMs?: number;
  /** Random number in [0, 1) for the pauses. Default `Math.random`. */
  readonly random?: () => number;
  /** Called before each pause. */
  readonly onRetry?: (error: unknown, reached: number) => void;
}

/** So often one blob may break and go on: a server that sends a byte at a time must not keep us for ever. */
const maxBreaks = 1_000;

/** `source`, but a broken transfer goes on from the byte it reached, as often as the retry table says. */
export function resuming(source: BlobSource, options: ResumeOptions): BlobSource {
  return {
    url: source.url,
    open: (descriptor, request) => openResuming(source, options, descriptor, request),
  };
}

async function* openResuming(
  source: BlobSource,
  options: ResumeOptions,
  descriptor: Descriptor,
  request: OpenBlob,
): AsyncGenerator<Uint8Array> {
  const { clock, onRetry } = options;
  const { offset = 0, signal } = request;
  let reached = offset;
  let failures = 0;
  for (let breaks = 0; ; breaks += 1) {
    let failure: unknown;
    try {
      for await (const chunk of source.open(descriptor, { ...request, offset: reached })) {
        reached += chunk.length;
        if (chunk.length > 0) failures = 0;
        yield chunk;
      }
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (failures >= allowed(error, options) || breaks >= maxBreaks) throw error;
      failure = error;
      onRetry?.(error, reached);
    }
    await clock.sleep(pauseAfter(failure, failures, pausesOf(options)), signal);
    failures += 1;
  }
}

function allowed(error: unknown, { retries }: ResumeOptions): number {
  const inTable = retriesAfter(error, 'blob');
  return Math.min(inTable, retries ?? inTable);
}

function pausesOf({ delayMs = pauses.delayMs, random }: ResumeOptions) {
  return { ...pauses, delayMs, ...(random ? { random } : {}) };
}
