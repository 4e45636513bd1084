import { formatPlatform } from '../core/descriptor.ts';
import type { PullEvent } from '../orchestrator/events.ts';
import type { ProgressOptions, ProgressView } from './progress-view.ts';

/** One JSON object per line; `docs/events.md` is the schema. */
export function createJsonProgress({ stream, clock }: ProgressOptions): ProgressView {
  let closed = false;
  return {
    handle(event) {
      if (!closed) stream.write(`${JSON.stringify(progressLine(event, clock.wallNow()))}\n`);
    },
    close() {
      closed = true;
    },
  };
}

/** The public form of an event: `time` (RFC 3339, UTC), `kind`, then the fields of that kind. */
export function progressLine(event: PullEvent, wallMs: number): object {
  const time = new Date(wallMs).toISOString();
  if (event.kind === 'resolved') return { time, ...event, platform: formatPlatform(event.platform) };
  return { time, ...event };
}
