import type { Descriptor } from '../core/descriptor.ts';
import { LayerpullError, messageOf } from '../core/errors.ts';
import type { Hold, LayerReply, Place, SessionLocks } from '../lock/locks.ts';
import type { BlobStore, Deletion } from '../store/blob-store.ts';
import type { References } from '../store/references.ts';
import { type LayerCallbacks, tellingHowItEnds } from './layer-callbacks.ts';

export interface DeleteLayerOptions {
  /** Must not go on without a lock service. */
  readonly locks: SessionLocks;
  readonly store: BlobStore;
  readonly references: Pick<References, 'read'>;
  readonly signal: AbortSignal;
  readonly callbacks?: Partial<LayerCallbacks>;
}

/** `referenced`: somebody needs the blob, and it stays. `absent`: somebody else removed it. `bytes` is what was freed. */
export interface DeleteOutcome {
  readonly kind: Deletion['kind'];
  readonly bytes: number;
}

/** A lock that is lost is asked for again, so often. */
const maxTries = 5;

/**
 * Removes one blob from the store unless somebody needs it: refused when it is referenced, before any lock is asked for
 * and again under the lock; then removed in the order that is safe beside pulls (`BlobStore.delete`). Success is told
 * to the lock service, which forgets that the blob was pulled.
 *
 * @throws LayerpullError `lock_*` when nobody coordinates or the lock is lost over and over, `store_*`; `signal.reason`
 */
export async function deleteLayer(
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
  options: DeleteLayerOptions,
): Promise<DeleteOutcome> {
  const { shouldSkip = () => isReferenced(digest, options), updateReferences } = options.callbacks ?? {};
  return await tellingHowItEnds(updateReferences, 'delete', digest, async () => {
    if (await shouldSkip('delete', digest)) return { kind: 'referenced', bytes: 0 };
    for (let round = 1; ; round += 1) {
      const outcome = await attempt({ digest, size }, options, round < maxTries);
      if (outcome) return outcome;
    }
  });
}

async function isReferenced(
  digest: Descriptor['digest'],
  { references }: DeleteLayerOptions,
): Promise<boolean> {
  const book = await references.read();
  return book.unreadable.length > 0 || book.of(digest).length > 0;
}

/** Undefined: to be tried again. */
async function attempt(
  blob: Pick<Descriptor, 'digest' | 'size'>,
  options: DeleteLayerOptions,
  mayTryAgain: boolean,
): Promise<DeleteOutcome | undefined> {
  const reply = await askUntilAnswered(blob, options);
  switch (reply.kind) {
    case 'granted':
      return await useLock(blob, reply.hold, options, mayTryAgain);
    case 'skip':
      return { kind: 'absent', bytes: 0 };
    case 'refused':
      throw refused(blob, reply.message);
  }
}

type Answer = Exclude<LayerReply, { kind: 'queued' }>;

async function askUntilAnswered(
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
  { locks, signal }: Pick<DeleteLayerOptions, 'locks' | 'signal'>,
): Promise<Answer> {
  for (;;) {
    const reply = await locks.acquire({ type: 'delete', resourceId: digest, total: size }, signal);
    if (reply.kind !== 'queued') return reply;
    const left = await waitForTurn(reply.place, signal);
    if (left) return { kind: 'granted', hold: left };
  }
}

/** The lock to delete a blob with. Undefined when somebody else deleted it meanwhile. @throws LayerpullError `lock_*` */
export async function waitForDeletion(
  blob: Pick<Descriptor, 'digest' | 'size'>,
  locks: SessionLocks,
  signal: AbortSignal,
): Promise<Hold | undefined> {
  const reply = await askUntilAnswered(blob, { locks, signal });
  if (reply.kind === 'refused') throw refused(blob, reply.message);
  return reply.kind === 'granted' ? reply.hold : undefined;
}

async function waitForTurn(place: Place, signal: AbortSignal): Promise<Hold | undefined> {
  for (;;) {
    const change = await place.next(signal);
    if (change.kind === 'left') return change.hold;
    if (change.kind !== 'moved') return undefined;
  }
}

async function useLock(
  { digest }: Pick<Descriptor, 'digest'>,
  hold: Hold,
  { store, signal }: DeleteLayerOptions,
  mayTryAgain: boolean,
): Promise<DeleteOutcome | undefined> {
  const { token } = hold;
  try {
    if (token === undefined) throw refused({ digest }, 'it gave no lock');
    const check = () => {
      signal.throwIfAborted();
      hold.revoked.throwIfAborted();
    };
    const deletion = await store.delete(digest, { token, check });
    if (deletion.kind === 'referenced') await hold.release(stays);
    else await hold.release({ success: true });
    return { kind: deletion.kind, bytes: deletion.kind === 'deleted' ? deletion.bytes : 0 };
  } catch (error) {
    const wasLost = hold.revoked.aborted && !signal.aborted;
    await hold.release({ success: false, error: messageOf(error), class: 'node' });
    if (wasLost && mayTryAgain) return undefined;
    throw error;
  }
}

/** Nothing was deleted: who waits to do so must look for themselves. */
const stays = { success: false, error: 'somebody needs the blob', class: 'node' } as const;

function refused({ digest }: Pick<Descriptor, 'digest'>, message: string): LayerpullError {
  return new LayerpullError('lock_refused', `the lock server refuses to have ${digest} deleted: ${message}`);
}
