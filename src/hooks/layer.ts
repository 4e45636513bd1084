import { type Clock, systemClock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import { LayerpullError } from '../core/errors.ts';
import type { NodeId } from '../core/ids.ts';
import type { Hold, HolderView, LayerReply, Place, SessionLocks } from '../lock/locks.ts';
import { type LayerCallbacks, tellingHowItEnds } from './layer-callbacks.ts';
import { downloadLayer } from './layer-download.ts';
import type { LayerEvent, LayerOutcome } from './layer-events.ts';
import { type Attempt, ended, type LayerDownload, type LayerRun, type LayerStore } from './layer-run.ts';
import { type Slot, type Slots, takeWithin, unlimitedSlots } from './layer-slots.ts';

export interface RunLayerOptions {
  readonly locks: SessionLocks;
  readonly store: LayerStore;
  /** Gives the layer's bytes from `offset` on. The hook alone stores, verifies and publishes them. */
  readonly download: LayerDownload;
  readonly signal: AbortSignal;
  readonly onEvent?: (event: LayerEvent) => void;
  /** What decides before any lock request, and hears how it ended. */
  readonly callbacks?: Partial<LayerCallbacks>;
  /** The pool that bounds concurrent layers. Default: no bound. */
  readonly slots?: Slots;
  readonly clock?: Clock;
}

/**
 * Brings one layer into the store, fetching it at most once among all who share the store: look, lock, skip or wait,
 * look again, download, verify, publish, release on every path. A layer that is there asks the lock service nothing.
 *
 * The lock is asked for only inside a slot; a layer that has to wait gives its slot back, so a wait blocks no other
 * layer and nobody holds a lock without using it.
 *
 * @throws LayerpullError of the download, the store or the lock; `signal.reason` when aborted. What was downloaded
 *   until then is kept for the next attempt, unless it is known to be wrong.
 */
export async function runLayer(layer: Descriptor, options: RunLayerOptions): Promise<LayerOutcome> {
  const { shouldSkip = () => options.store.has(layer), updateReferences } = options.callbacks ?? {};
  return await tellingHowItEnds(updateReferences, 'pull', layer.digest, async () => {
    const run = startRun(layer, options);
    if (await shouldSkip('pull', layer.digest)) return ended(run, 'present');
    return await bringLayer(run);
  });
}

async function bringLayer(run: LayerRun): Promise<LayerOutcome> {
  let attempt: Attempt = await attemptInSlot(run, await run.slots.take('fresh', run.signal), false);
  while (attempt.kind !== 'done') attempt = await nextAttempt(run, attempt);
  return attempt.outcome;
}

function startRun(layer: Descriptor, options: RunLayerOptions): LayerRun {
  const { clock = systemClock, slots = unlimitedSlots, onEvent = () => {} } = options;
  return { ...options, layer, clock, slots, onEvent, startedMs: clock.now() };
}

async function nextAttempt(run: LayerRun, last: Exclude<Attempt, { kind: 'done' }>): Promise<Attempt> {
  if (last.kind === 'queued') return await waitThenAttempt(run, last.place);
  return await attemptInSlot(run, await run.slots.take('granted', run.signal), last.force);
}

async function attemptInSlot(run: LayerRun, slot: Slot, force: boolean): Promise<Attempt> {
  try {
    return await actOn(run, await ask(run, force));
  } finally {
    slot.release();
  }
}

async function ask(run: LayerRun, force: boolean): Promise<LayerReply> {
  const { layer, locks, signal } = run;
  return await locks.acquire({ type: 'pull', resourceId: layer.digest, total: layer.size, force }, signal);
}

async function actOn(run: LayerRun, reply: LayerReply): Promise<Attempt> {
  switch (reply.kind) {
    case 'granted':
      return await downloadLayer(run, reply.hold);
    case 'queued':
      return { kind: 'queued', place: reply.place };
    case 'skip':
      return await skip(run, reply.by);
    case 'refused':
      throw refusal(run.layer, reply.reason, reply.message);
  }
}

/** Somebody finished the layer; if it has left the store since, the record of that must not stop us. */
async function skip(run: LayerRun, by: HolderView | undefined): Promise<Attempt> {
  if (!(await run.store.has(run.layer))) return { kind: 'again', force: true };
  return { kind: 'done', outcome: ended(run, 'skipped', by?.nodeId) };
}

async function waitThenAttempt(run: LayerRun, place: Place): Promise<Attempt> {
  tellPlace(run, place.position, place.holder);
  const holder = place.holder?.nodeId;
  for (;;) {
    const change = await place.next(run.signal);
    if (change.kind === 'moved') tellPlace(run, change.position, change.holder);
    if (change.kind === 'granted') return await useGrant(run, place, change.waiters);
    if (change.kind === 'ended') return await afterWait(run, holder);
    if (change.kind === 'left') return await downloadInSlot(run, change.hold);
  }
}

async function afterWait(run: LayerRun, holder: NodeId | undefined): Promise<Attempt> {
  if (await run.store.has(run.layer)) return { kind: 'done', outcome: ended(run, 'skipped', holder) };
  return { kind: 'again', force: false };
}

/** A grant lapses when nobody claims it: without a slot in time, claim it if no one else waits, else pass it on. */
async function useGrant(run: LayerRun, place: Place, waiters: number): Promise<Attempt> {
  const slot = await takeSlotFor(run, place);
  if (slot) return await attemptInSlot(run, slot, false);
  if (waiters === 0) return await claimThenWaitForSlot(run);
  await place.decline();
  return { kind: 'again', force: false };
}

async function takeSlotFor(run: LayerRun, place: Place): Promise<Slot | undefined> {
  try {
    return await takeWithin(run.slots, run.locks.claimMs / 2, run.clock, run.signal);
  } catch (error) {
    await place.decline();
    throw error;
  }
}

async function claimThenWaitForSlot(run: LayerRun): Promise<Attempt> {
  const reply = await ask(run, false);
  if (reply.kind !== 'granted') return await actOn(run, reply);
  return await downloadInSlot(run, reply.hold);
}

async function downloadInSlot(run: LayerRun, hold: Hold): Promise<Attempt> {
  const slot = await takeOrRelease(run, hold);
  try {
    return await downloadLayer(run, hold);
  } finally {
    slot.release();
  }
}

async function takeOrRelease(run: LayerRun, hold: Hold): Promise<Slot> {
  try {
    return await run.slots.take('granted', run.signal);
  } catch (error) {
    await hold.release({ success: false, error: 'cancelled', class: 'node' });
    throw error;
  }
}

function tellPlace(run: LayerRun, position: number, holder: HolderView | undefined): void {
  run.onEvent({ kind: 'waiting', position, ...(holder ? { holder: holder.nodeId } : {}) });
}

function refusal(layer: Descriptor, reason: 'content' | 'limit' | 'taken', message: string): LayerpullError {
  if (reason === 'content') {
    return new LayerpullError(
      'content_refused',
      `layer ${layer.digest} failed for others already: ${message}`,
      {
        hint: 'the registry serves wrong or missing content; mend it there, then pull again in a minute',
      },
    );
  }
  return new LayerpullError('lock_refused', `the lock server refuses ${layer.digest}: ${message}`);
}
