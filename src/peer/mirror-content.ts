import { withDeadline } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import { LayerpullError } from '../core/errors.ts';
import { type Log, silentLog } from '../core/log.ts';
import type { Credentials } from '../registry/credentials/credentials.ts';
import type { Readers } from '../registry/readers.ts';
import { formatReference, type ImageReference, nameOf } from '../registry/reference.ts';
import { MirrorAccess } from './mirror-access.ts';
import { describedHere, documentOf } from './mirror-document.ts';
import { Listings } from './mirror-links.ts';
import type { AskOthers, Caller, MirrorContent, MirrorStore, ProofFiles } from './mirror-port.ts';
import { ProofBook } from './mirror-proofs.ts';
import { Upstream } from './mirror-upstream.ts';

export interface MirrorContentOptions {
  readonly readers: Readers;
  readonly store: MirrorStore;
  readonly proofFiles: ProofFiles;
  readonly clock: Clock;
  readonly log?: Log;
  /** Shown to registries for callers that show nothing themselves. Default: they are anonymous. */
  readonly agent?: Credentials | undefined;
  /**
   * Milliseconds for which a caller that proved its access to a private image gets it while the registry is out of
   * reach. Default 3,600,000.
   */
  readonly offlineTtlMs?: number;
  /** Default: nobody else is asked. */
  readonly askOthers?: AskOthers | undefined;
  /** The only registries that are mirrored. Default: any. */
  readonly registries?: readonly string[] | undefined;
}

export const defaultOfflineTtlMs = 3_600_000;
/** Clients give up on a mirror after 30 s. */
const answerWithinMs = 20_000;

/** What a mirror serves: from the store, under the access that each caller has at the registry. */
export function createMirrorContent(options: MirrorContentOptions): MirrorContent {
  const { store, clock, log = silentLog, proofFiles, registries, agent, readers } = options;
  const upstream = new Upstream({ readers, clock, ...(agent ? { agent } : {}) });
  const access = new MirrorAccess({
    ...{ upstream, clock },
    proofs: new ProofBook(proofFiles, log),
    listings: new Listings(store),
    offlineTtlMs: options.offlineTtlMs ?? defaultOfflineTtlMs,
    askOthers: options.askOthers ?? (async () => undefined),
  });
  const isMirrored = registries && new Set(registries.map((one) => one.toLowerCase()));
  const visitorOf = async ({ registry }: ImageReference, caller: Caller) => {
    if (isMirrored && !isMirrored.has(registry)) throw notMirrored(registry);
    return upstream.visitor(registry, caller, await proofFiles.key());
  };
  return {
    resolve: (reference, caller, signal) => {
      const late = () => tooLate(reference);
      return withDeadline(clock, answerWithinMs, signal, late, async (within) => {
        const visitor = await visitorOf(reference, caller);
        const allowed = await access.manifest(reference, visitor, within);
        return await documentOf(store, visitor.reader, reference, allowed, within);
      });
    },
    blob: (reference, caller, signal) => {
      const late = () => tooLate(reference);
      return withDeadline(clock, answerWithinMs, signal, late, async (within) => {
        const visitor = await visitorOf(reference, caller);
        const descriptor = await access.blob(reference, visitor, within);
        const source = upstream.blobs(reference, visitor);
        return {
          descriptor,
          read: (range, reading) => store.read(nameOf(reference), descriptor, source, range, reading),
        };
      });
    },
    async recorded(reference) {
      const allowed = await access.recorded(reference);
      return allowed && (await describedHere(store, reference, allowed));
    },
  };
}

function tooLate(reference: ImageReference): LayerpullError {
  return new LayerpullError(
    'timed_out',
    `no answer about ${formatReference(reference)} within ${answerWithinMs / 1_000} s`,
  );
}

function notMirrored(registry: string): LayerpullError {
  return new LayerpullError('image_not_found', `${registry} is not mirrored here`);
}
