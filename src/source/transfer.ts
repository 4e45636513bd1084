import { startDeadline } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { LayerpullError } from '../core/errors.ts';
import type { BlobSource, OpenBlob } from './blob-source.ts';
import { type ResumeOptions, resuming } from './resume.ts';
import { createThrottle, type Throttle, throttled } from './throttle.ts';

/** What bounds the transfer of a pull's layers. */
export interface TransferBounds {
  /** Milliseconds that one layer may take, with all tries. Default: no limit. */
  readonly layerTimeoutMs?: number | undefined;
  /** Shared by all layers of the pull. Default: no limit. */
  readonly throttle?: Throttle | undefined;
}

/** @param bytesPerSecond 0: no limit */
export function createTransferBounds(
  clock: Clock,
  limits: { readonly bytesPerSecond: number; readonly layerTimeoutMs?: number | undefined },
): TransferBounds {
  const { bytesPerSecond, layerTimeoutMs } = limits;
  return {
    layerTimeoutMs,
    ...(bytesPerSecond > 0 ? { throttle: createThrottle({ clock, unitsPerSecond: bytesPerSecond }) } : {}),
  };
}

/** `source` as a pull reads it: resumed when it breaks, no faster and no longer than the pull allows. */
export function transferring(source: BlobSource, options: ResumeOptions & TransferBounds): BlobSource {
  const { clock, layerTimeoutMs, throttle } = options;
  const resumed = resuming(source, options);
  const paced = throttle ? throttled(resumed, throttle) : resumed;
  return layerTimeoutMs === undefined ? paced : timeLimited(paced, clock, layerTimeoutMs);
}

/** `source`, but `timed_out` when a blob is not whole after `ms` milliseconds. That is final: nothing tries it again. */
export function timeLimited(source: BlobSource, clock: Clock, ms: number): BlobSource {
  return {
    url: source.url,
    open: (descriptor, request) => openLimited(source, clock, ms, descriptor, request),
  };
}

async function* openLimited(
  source: BlobSource,
  clock: Clock,
  ms: number,
  descriptor: Descriptor,
  request: OpenBlob,
): AsyncGenerator<Uint8Array> {
  const { signal, end } = startDeadline(clock, ms, request.signal, () => tookTooLong(descriptor, ms));
  try {
    yield* source.open(descriptor, { ...request, signal });
  } finally {
    end();
  }
}

function tookTooLong({ digest }: Descriptor, ms: number): LayerpullError {
  return new LayerpullError('timed_out', `layer ${digest} took longer than ${ms / 1_000} s`, {
    hint: 'what came is kept: pull again to go on, or give it longer with --layer-timeout',
  });
}
