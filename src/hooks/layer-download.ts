import { type ErrorCode, isLayerpullError, messageOf } from '../core/errors.ts';
import type { FailureClass, Hold } from '../lock/locks.ts';
import type { Ingest } from '../store/blob-store.ts';
import { type Attempt, ended, type LayerRun } from './layer-run.ts';

/** These concern the content, not this node: whoever tries next meets them too. */
const contentErrors: ReadonlySet<ErrorCode> = new Set(['blob_not_found', 'digest_mismatch', 'size_mismatch']);

/** Uses a granted lock: looks into the store once more, downloads, publishes, and releases whatever happens. */
export async function downloadLayer(run: LayerRun, hold: Hold): Promise<Attempt> {
  try {
    if (await run.store.has(run.layer)) return await finishAsSkipped(run, hold);
    const bytes = await fetchVerified(run, hold);
    await hold.release({ success: true });
    const durationMs = run.clock.now() - run.startedMs;
    return { kind: 'done', outcome: { kind: 'downloaded', bytes, durationMs } };
  } catch (error) {
    if (hold.revoked.aborted && !run.signal.aborted) return giveWay(run, hold);
    await hold.release({ success: false, error: messageOf(error), class: failureClass(error) });
    run.signal.throwIfAborted();
    throw error;
  }
}

async function finishAsSkipped(run: LayerRun, hold: Hold): Promise<Attempt> {
  await hold.release({ success: true });
  return { kind: 'done', outcome: ended(run, 'skipped') };
}

function giveWay(run: LayerRun, hold: Hold): Attempt {
  run.onEvent({ kind: 'revoked', message: messageOf(hold.revoked.reason) });
  return { kind: 'again', force: false };
}

/** Downloads and publishes. Wrong bytes behind an inherited partial earn one fresh start. Returns bytes transferred. */
async function fetchVerified(run: LayerRun, hold: Hold): Promise<number> {
  const first = await fetchOnce(run, hold, false);
  if (first.kind === 'published') return first.bytes;
  const second = await fetchOnce(run, hold, true);
  if (second.kind === 'published') return first.bytes + second.bytes;
  throw second.error;
}

type Fetched =
  | { readonly kind: 'published'; readonly bytes: number }
  | { readonly kind: 'tainted'; readonly bytes: number; readonly error: unknown };

async function fetchOnce(run: LayerRun, hold: Hold, fresh: boolean): Promise<Fetched> {
  const writer = { session: run.locks.sessionId, ...(hold.token === undefined ? {} : { token: hold.token }) };
  // A large partial takes time to take over: whoever waits must not think that nothing happens.
  const onCopied = (bytes: number) => hold.progress(bytes);
  const ingest = await run.store.ingest(run.layer, writer, { fresh, onCopied });
  try {
    await transfer(run, hold, ingest);
    await ingest.commit();
    return { kind: 'published', bytes: ingest.written() - ingest.offset };
  } catch (error) {
    const inherited = ingest.offset > 0 && isLayerpullError(error) && error.code === 'digest_mismatch';
    if (!inherited) throw error;
    return { kind: 'tainted', bytes: ingest.written() - ingest.offset, error };
  } finally {
    await ingest.close();
  }
}

async function transfer(run: LayerRun, hold: Hold, ingest: Ingest): Promise<void> {
  const signal = AbortSignal.any([run.signal, hold.revoked]);
  const token = hold.token === undefined ? {} : { token: hold.token };
  run.onEvent({ kind: 'started', offset: ingest.offset, source: hold.source });
  hold.progress(ingest.offset);
  for await (const chunk of run.download({ offset: ingest.offset, source: hold.source, signal, ...token })) {
    signal.throwIfAborted();
    await ingest.write(chunk);
    hold.progress(ingest.written());
    run.onEvent({ kind: 'progress', offset: ingest.written() });
  }
  signal.throwIfAborted();
}

function failureClass(error: unknown): FailureClass {
  return isLayerpullError(error) && contentErrors.has(error.code) ? 'content' : 'node';
}
