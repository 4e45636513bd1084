import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { pauseBefore } from '../core/retry.ts';
import type { BlobSource, OpenBlob } from './blob-source.ts';
import { isTransient } from './transient.ts';

export interface ResumeOptions {
  readonly clock: Clock;
  /** Tries in a row that may bring no byte before the failure is final. Default 3. */
  readonly retries?: number;
  /** Pause before the first retry, in milliseconds; doubles with each. Default 500. */
  readonly delayMs?: number;
  /** Random number in [0, 1) for the pauses. Default `Math.random`. */
  readonly random?: () => number;
  /** Called before each pause. */
  readonly onRetry?: (error: unknown, reached: number) => void;
}

/** `source`, but a broken transfer goes on from the byte it reached. */
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
  { offset = 0, signal }: OpenBlob,
): AsyncGenerator<Uint8Array> {
  const { clock, retries = 3, onRetry } = options;
  let reached = offset;
  let failures = 0;
  for (;;) {
    try {
      for await (const chunk of source.open(descriptor, { offset: reached, signal })) {
        reached += chunk.length;
        if (chunk.length > 0) failures = 0;
        yield chunk;
      }
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (!isTransient(error) || failures >= retries) throw error;
      onRetry?.(error, reached);
    }
    await clock.sleep(pauseBefore(failures, pauses(options)), signal);
    failures += 1;
  }
}

function pauses({ delayMs = 500, random }: ResumeOptions) {
  return { delayMs, factor: 2, ...(random ? { random } : {}) };
}
