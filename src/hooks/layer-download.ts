import { type ErrorCode, isLayerpullError, messageOf } from '../core/errors.ts';
import type { FailureClass, Hold } from '../lock/locks.ts';
import type { SourceUse } from '../source/blob-source.ts';
import type { Ingest } from '../store/blob-store.ts';
import type { LayerOutcome } from './layer-events.ts';
import { Givers } from './layer-givers.ts';
import { type Attempt, type DownloadContext, ended, type LayerRun } from './layer-run.ts';
import { Trail } from './layer-trail.ts';
import { LockUnused } from './layer-unused.ts';

/** These concern the content, not this node: whoever tries next meets them too. */
const contentErrors: ReadonlySet<ErrorCode> = new Set(['blob_not_found', 'digest_mismatch', 'size_mismatch']);

/** What is known of the sources of one download. */
interface Sources {
  readonly trail: Trail;
  readonly givers: Givers;
}

/** Uses a granted lock: looks into the store once more, downloads, publishes, and releases whatever happens. */
export async function downloadLayer(run: LayerRun, hold: Hold): Promise<Attempt> {
  const sources: Sources = { trail: new Trail(), givers: new Givers(hold.source) };
  try {
    if (await run.store.has(run.layer)) return await finishAsSkipped(run, hold);
    const bytes = await fetchVerified(run, hold, sources);
    await hold.release({ success: true });
    return { kind: 'done', outcome: fetched(run, sources.givers, bytes) };
  } catch (error) {
    if (hold.revoked.aborted && !run.signal.aborted) return giveWay(run, hold);
    if (error instanceof LockUnused) await hold.decline();
    else
      await hold.release({
        success: false,
        error: messageOf(error),
        class: failureClass(error, sources.givers),
      });
    run.signal.throwIfAborted();
    throw error;
  }
}

async function finishAsSkipped(run: LayerRun, hold: Hold): Promise<Attempt> {
  await hold.release({ success: true });
  return { kind: 'done', outcome: ended(run, 'skipped') };
}

function fetched(run: LayerRun, givers: Givers, bytes: number): LayerOutcome {
  const durationMs = run.clock.now() - run.startedMs;
  const kind = givers.isCopied ? 'copied' : 'downloaded';
  return { kind, bytes, givers: givers.list(), bytesFromPeers: givers.fromPeers, durationMs };
}

function giveWay(run: LayerRun, hold: Hold): Attempt {
  run.onEvent({ kind: 'revoked', message: messageOf(hold.revoked.reason) });
  return { kind: 'again', force: false };
}

/**
 * Downloads and publishes. Wrong bytes are thrown away and earn another start at zero as long as one of the sources may
 * do better. Returns bytes transferred.
 */
async function fetchVerified(run: LayerRun, hold: Hold, sources: Sources): Promise<number> {
  let bytes = 0;
  for (let fresh = false; ; fresh = true) {
    const fetched = await fetchOnce(run, hold, sources, fresh);
    bytes += fetched.bytes;
    if (fetched.kind === 'published') return bytes;
    if (!fetched.mayStartOver) throw fetched.error;
  }
}

type Fetched =
  | { readonly kind: 'published'; readonly bytes: number }
  | {
      readonly kind: 'failed';
      readonly bytes: number;
      readonly mayStartOver: boolean;
      readonly error: unknown;
    };

async function fetchOnce(run: LayerRun, hold: Hold, sources: Sources, fresh: boolean): Promise<Fetched> {
  const { trail } = sources;
  const ingest = await openIngest(run, hold, fresh);
  const bytesOf = () => ingest.written() - ingest.offset;
  let isComplete = false;
  try {
    await transfer(run, hold, sources, ingest);
    isComplete = true;
    await ingest.commit();
    return { kind: 'published', bytes: bytesOf() };
  } catch (error) {
    const isOver = run.signal.aborted || hold.revoked.aborted;
    const mayStartOver = isComplete
      ? isMismatch(error) && trail.mismatch(error, ingest.offset > 0)
      : !isOver && trail.brokeOff(error);
    return { kind: 'failed', bytes: bytesOf(), mayStartOver, error };
  } finally {
    await ingest.close();
  }
}

async function openIngest(run: LayerRun, hold: Hold, fresh: boolean): Promise<Ingest> {
  const writer = { session: run.locks.sessionId, ...(hold.token === undefined ? {} : { token: hold.token }) };
  // A large partial takes time to take over: whoever waits must not think that nothing happens.
  const onCopied = (bytes: number) => hold.progress(bytes);
  return await run.store.ingest(run.layer, writer, { fresh, onCopied });
}

/** Only what the store finds out about the whole is a verdict on all bytes. */
function isMismatch(error: unknown): boolean {
  return isLayerpullError(error) && error.code === 'digest_mismatch';
}

async function transfer(run: LayerRun, hold: Hold, sources: Sources, ingest: Ingest): Promise<void> {
  const signal = AbortSignal.any([run.signal, hold.revoked]);
  const { offset } = ingest;
  run.onEvent({ kind: 'started', offset, source: hold.source });
  hold.progress(offset);
  for await (const chunk of run.download(contextOf(run, hold, sources, { offset, signal }))) {
    signal.throwIfAborted();
    sources.trail.gave();
    sources.givers.gave(chunk.length);
    await ingest.write(chunk);
    hold.progress(ingest.written());
    run.onEvent({ kind: 'progress', offset: ingest.written() });
  }
  signal.throwIfAborted();
}

function contextOf(
  run: LayerRun,
  { source, guide, token }: Hold,
  { trail, givers }: Sources,
  range: Pick<DownloadContext, 'offset' | 'signal'>,
): DownloadContext {
  trail.begin();
  givers.begin();
  const onSource = (use: SourceUse) => {
    const peer = givers.use(use);
    trail.use(use, peer?.complete === false);
    run.onEvent({ kind: 'source', ...use, ...(peer ? { peer: peer.nodeId } : {}) });
  };
  return {
    ...range,
    ...{
      source,
      guide: givers.watching(guide),
      standing: trail.standing,
      restarts: trail.restarts,
      onSource,
    },
    ...(token === undefined ? {} : { token }),
  };
}

/** What only peers said or gave is no verdict on what the registry has. */
function failureClass(error: unknown, givers: Givers): FailureClass {
  if (!isLayerpullError(error) || !contentErrors.has(error.code)) return 'node';
  return error.origin === 'peer' || givers.onlyPeersGave ? 'node' : 'content';
}
