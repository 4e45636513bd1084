import type { ErrorCode } from '../../src/core/errors.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import type { BlobSource, SourceUse } from '../../src/source/blob-source.ts';
import { fallback } from '../../src/source/fallback.ts';

/** What one opening of a source does: give so many bytes and fail. Anything behind the script gives all. */
export interface Step {
  readonly bytes: number;
  readonly code: ErrorCode;
}

export interface ScriptedSource extends BlobSource {
  /** First byte wanted, of each opening. */
  readonly offsets: number[];
}

/** A source of `content` that does what the script says, byte by byte. */
export function scripted(name: string, content: Uint8Array, script: readonly Step[] = []): ScriptedSource {
  const offsets: number[] = [];
  const url = `http://${name}`;
  return {
    url,
    offsets,
    async *open(_layer, { offset = 0, signal }) {
      signal.throwIfAborted();
      const step = script[offsets.length];
      offsets.push(offset);
      const end = step === undefined ? content.length : offset + step.bytes;
      for (const byte of content.subarray(offset, end)) yield Uint8Array.of(byte);
      if (step && end < content.length) throw failure(name, step.code);
    },
  };
}

export function failure(name: string, code: ErrorCode): LayerpullError {
  return new LayerpullError(code, `cannot reach ${name}: ${code}`, { hint: `look at ${name}` });
}

/** These sources in turn, the last as the registry itself. */
export function inTurn(sources: readonly BlobSource[]): BlobSource {
  return fallback({
    url: sources.at(-1)?.url ?? '',
    candidates: async () => sources.map((source) => ({ source })),
  });
}

/** `host@offset` of each use. */
export function placesOf(uses: readonly SourceUse[]): string[] {
  return uses.map(({ url, offset }) => `${url.replace('http://', '')}@${offset}`);
}
