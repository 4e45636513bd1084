import type { Clock } from '../core/clock.ts';
import type { ResolvedImage } from '../registry/image-registry.ts';
import type { OutputResult, PullEvent } from './events.ts';

/** What of an image names it in a store. */
export type WrittenImage = Pick<ResolvedImage, 'manifest' | 'index'>;

/** Where a pull writes the image once it is in the store. */
export interface PullOutput extends Pick<OutputResult, 'kind' | 'path'> {
  /** Writes it whole or not at all; answers the bytes written. `onRead` hears of the bytes read from the store. */
  write(image: WrittenImage, onRead: (bytes: number) => void, signal: AbortSignal): Promise<number>;
}

export interface OutputParts {
  readonly output?: PullOutput | undefined;
  readonly clock: Clock;
  readonly onEvent: (event: PullEvent) => void;
}

/** Often enough not to look hung. */
const tellEveryMs = 500;

/** Writes the image to `--output`, if there is one, and tells how far that is. */
export async function writeOutput(
  image: WrittenImage,
  size: number,
  { output, clock, onEvent }: OutputParts,
  signal: AbortSignal,
): Promise<OutputResult | undefined> {
  if (!output) return undefined;
  const { kind, path } = output;
  let offset = 0;
  let told = -1;
  const tell = () => {
    if (offset === told) return;
    told = offset;
    onEvent({ kind: 'exporting', path, offset: Math.min(offset, size), size });
  };
  const onRead = (bytes: number) => {
    offset += bytes;
  };
  tell();
  const stopTelling = clock.every(tellEveryMs, tell);
  try {
    return { kind, path, bytes: await output.write(image, onRead, signal) };
  } finally {
    stopTelling();
  }
}
