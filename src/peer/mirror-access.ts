import { withDeadline } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import type { Descriptor } from '../core/descriptor.ts';
import type { Digest } from '../core/digest.ts';
import { type ErrorCode, isLayerpullError, LayerpullError } from '../core/errors.ts';
import type { ManifestProof } from '../registry/readers.ts';
import { type ImageReference, nameOf } from '../registry/reference.ts';
import type { Listings } from './mirror-links.ts';
import type { AccessProof, Allowed, AskOthers } from './mirror-port.ts';
import { anonymous, type ProofBook } from './mirror-proofs.ts';
import { isOutage, type Upstream, type Visitor } from './mirror-upstream.ts';

export interface AccessOptions {
  readonly upstream: Upstream;
  readonly proofs: ProofBook;
  readonly listings: Listings;
  readonly clock: Clock;
  /** Milliseconds for which a proof of access to a private image is good while its registry is out of reach. */
  readonly offlineTtlMs: number;
  readonly askOthers: AskOthers;
}

/** What is listed, and the proof that it may be had. */
interface Found {
  readonly descriptor: Allowed;
  readonly proof: AccessProof;
}

/** Milliseconds within which the parts of an image are given without asking the registry once more. */
const freshMs = 300_000;
/** Milliseconds that a registry gets to say who may read. Clients of a mirror give up after 30 s. */
const proveWithinMs = 8_000;
/** With these the registry has answered. */
const refusals: ReadonlySet<ErrorCode> = new Set(['access_denied', 'image_not_found']);

/** Decides who may have what, by what registries say and have said. */
export class MirrorAccess {
  readonly #options: AccessOptions;

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /** The manifest that a reference means to this visitor. @throws LayerpullError of the registry */
  async manifest(reference: ImageReference, visitor: Visitor, signal: AbortSignal): Promise<Allowed> {
    const { digest } = reference;
    const listed = digest && (await this.#find(reference, digest, visitor.name, 'documents'));
    if (listed && this.#isFresh(listed.proof)) return await this.#inherit(reference, listed);
    const recorded = listed ?? (await this.#tagged(reference, visitor.name));
    return await this.#ask(reference, visitor, recorded, signal);
  }

  /** @throws LayerpullError `blob_not_found` where no manifest lists it, or of the registry */
  async blob(
    reference: ImageReference & { readonly digest: Digest },
    visitor: Visitor,
    signal: AbortSignal,
  ): Promise<Descriptor> {
    const { digest, registry, repository } = reference;
    const found = await this.#find(reference, digest, visitor.name, 'blobs');
    const { size, mediaType } = found?.descriptor ?? {};
    if (!found || size === undefined || mediaType === undefined) throw notListed(reference);
    if (!this.#isFresh(found.proof)) {
      // The access is to the manifest that lists it, which is small, and always there to be asked about.
      await this.#ask({ registry, repository, digest: found.proof.digest }, visitor, found, signal);
    }
    return { digest, size, mediaType };
  }

  /** What the reference meant when everyone could read it. */
  async recorded(reference: ImageReference): Promise<Allowed | undefined> {
    const { digest } = reference;
    const found =
      digest === undefined
        ? await this.#tagged(reference, anonymous)
        : await this.#find(reference, digest, anonymous, 'documents');
    return found?.descriptor;
  }

  /** Asks the registry; where it gives no answer, what is recorded counts for those who may have it. */
  async #ask(
    reference: ImageReference,
    visitor: Visitor,
    recorded: Found | undefined,
    signal: AbortSignal,
  ): Promise<Allowed> {
    const { upstream } = this.#options;
    const { registry } = reference;
    const usable = recorded && this.#isUsableOffline(recorded.proof) ? recorded : undefined;
    if (usable && upstream.rests(registry)) return usable.descriptor;
    try {
      const proof = await this.#prove(reference, visitor, signal);
      upstream.note(registry, undefined);
      await this.#record(reference, proof.digest, proof.isAnonymous ? anonymous : visitor.name);
      return proof;
    } catch (error) {
      signal.throwIfAborted();
      upstream.note(registry, error);
      if (isRefusal(error)) await this.#forget(reference, visitor, error.code);
      if (!isOutage(error)) throw error;
      const known = usable?.descriptor ?? (await this.#askOthers(reference, signal));
      if (known) return known;
      throw error;
    }
  }

  /** Whoever says nothing is out of reach too, while there is time left to go by something else. */
  async #prove(reference: ImageReference, { reader }: Visitor, signal: AbortSignal): Promise<ManifestProof> {
    const late = () => silent(reference.registry);
    return await withDeadline(this.#options.clock, proveWithinMs, signal, late, (within) =>
      reader.prove(reference, within),
    );
  }

  async #askOthers(reference: ImageReference, signal: AbortSignal): Promise<Allowed | undefined> {
    const known = await this.#options.askOthers(reference, signal);
    if (known) await this.#record(reference, known.digest, anonymous);
    return known;
  }

  /** The freshest proof that leads to the digest: of itself, or of a document that lists it. */
  async #find(
    reference: ImageReference,
    digest: Digest,
    caller: string,
    kind: 'documents' | 'blobs',
  ): Promise<Found | undefined> {
    const { proofs, listings } = this.#options;
    for (const proof of await proofs.of(nameOf(reference), caller)) {
      if (kind === 'documents' && proof.digest === digest) return { descriptor: { digest }, proof };
      const descriptor = (await listings.of(proof.digest))?.[kind].get(digest);
      if (descriptor) return { descriptor, proof };
    }
    return undefined;
  }

  async #tagged(reference: ImageReference, caller: string): Promise<Found | undefined> {
    if (reference.digest !== undefined) return undefined;
    const known = await this.#options.proofs.of(nameOf(reference), caller);
    const proof = known.find(({ tag }) => tag !== undefined && tag === reference.tag);
    return proof && { descriptor: { digest: proof.digest }, proof };
  }

  /** What an index lists is proved as the index was, so that what it lists in turn is found. */
  async #inherit(reference: ImageReference, { descriptor, proof }: Found): Promise<Allowed> {
    const { caller, provedAtMs, digest } = proof;
    if (digest !== descriptor.digest) {
      await this.#options.proofs.add(nameOf(reference), { caller, provedAtMs, digest: descriptor.digest });
    }
    return descriptor;
  }

  async #record(reference: ImageReference, digest: Digest, caller: string): Promise<void> {
    const { proofs, clock } = this.#options;
    const proof = { caller, digest, provedAtMs: clock.wallNow() };
    const repository = nameOf(reference);
    await proofs.add(repository, proof);
    const { tag } = reference;
    if (tag !== undefined && reference.digest === undefined) await proofs.add(repository, { ...proof, tag });
  }

  async #forget(reference: ImageReference, { name }: Visitor, code: ErrorCode): Promise<void> {
    const { digest, tag } = reference;
    const named = digest === undefined ? { tag: tag ?? 'latest' } : { digest };
    // Access is to a repository; what is not there may be gone alone.
    const what = code === 'access_denied' ? undefined : named;
    // Where the agent is refused, nobody is let in.
    const callers = name === 'agent' ? [name, anonymous] : [name];
    for (const caller of callers) await this.#options.proofs.forget(nameOf(reference), caller, what);
  }

  #isFresh({ provedAtMs }: AccessProof): boolean {
    return this.#ageMs(provedAtMs) < freshMs;
  }

  #isUsableOffline({ caller, provedAtMs }: AccessProof): boolean {
    return caller === anonymous || this.#ageMs(provedAtMs) < this.#options.offlineTtlMs;
  }

  /** A clock that was set back makes nothing younger than it is. */
  #ageMs(provedAtMs: number): number {
    const ageMs = this.#options.clock.wallNow() - provedAtMs;
    return ageMs < 0 ? Number.POSITIVE_INFINITY : ageMs;
  }
}

function silent(registry: string): LayerpullError {
  return new LayerpullError(
    'registry_unreachable',
    `${registry} gave no answer within ${proveWithinMs / 1_000} s`,
  );
}

function isRefusal(error: unknown): error is LayerpullError {
  return isLayerpullError(error) && refusals.has(error.code);
}

/** Whether it exists elsewhere is nobody's business. */
function notListed({ digest, ...reference }: ImageReference & { readonly digest: Digest }): LayerpullError {
  return new LayerpullError(
    'blob_not_found',
    `no manifest of ${nameOf(reference)} that was asked for here lists ${digest}`,
  );
}
