import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { NodeId } from '../core/ids.ts';
import type { LayerEvent } from '../hooks/layer-events.ts';
import type { LayerSource, PullEvent } from './events.ts';

/** Turns the hook's events for one layer into the pull's. */
export interface Teller {
  tell(event: LayerEvent): void;
  stop(): void;
}

export interface TellerOptions {
  readonly blob: Descriptor;
  /** Where the bytes come from as long as nobody says more exactly. */
  readonly url: string;
  readonly clock: Clock;
  readonly onEvent: (event: PullEvent) => void;
}

/** Ten a second are enough for people, and keep a busy pull from talking more than it downloads. */
const progressEveryMs = 100;

/** Progress is told by the clock, so that a stall shows where it stands. */
export function startTelling({ blob, url, clock, onEvent }: TellerOptions): Teller {
  const { digest, size } = blob;
  let reached = 0;
  let told = 0;
  let current: string | undefined;

  const tellProgress = () => {
    if (reached === told) return;
    told = reached;
    onEvent({ kind: 'progress', digest, size, offset: reached });
  };
  /** The first source of an attempt begins it, every other one takes over. */
  const tellSource = (next: string, peer?: NodeId, reason?: string) => {
    if (next === current) return;
    const isFirst = current === undefined;
    current = next;
    const source: LayerSource = peer
      ? { kind: 'peer', url: next, node: peer }
      : { kind: 'registry', url: next };
    if (isFirst) return onEvent({ kind: 'downloading', digest, size, offset: reached, source });
    tellProgress();
    onEvent({
      kind: 'switched',
      digest,
      size,
      offset: reached,
      source,
      ...(reason ? { message: reason } : {}),
    });
  };
  const start = (offset: number) => {
    reached = told = offset;
    current = undefined;
  };
  const advance = (offset: number) => {
    tellSource(current ?? url);
    reached = offset;
  };
  const tell = (event: LayerEvent) => {
    switch (event.kind) {
      case 'waiting':
        return onEvent({ ...event, digest });
      case 'started':
        return start(event.offset);
      case 'source':
        return tellSource(event.url, event.peer, event.reason);
      case 'revoked':
        return onEvent({ kind: 'retrying', digest, message: event.message });
      case 'progress':
        return advance(event.offset);
    }
  };
  const stopTicking = clock.every(progressEveryMs, tellProgress);
  return {
    tell,
    stop: () => {
      stopTicking();
      tellProgress();
    },
  };
}
