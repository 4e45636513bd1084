import type { Digest } from '../core/digest.ts';
import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { AccessProof, ProofFiles } from './mirror-port.ts';
import { Recent } from './recent.ts';

export const anonymous = 'anonymous';

/** Repositories in memory; those that are forgotten are read again from their files. */
const mostRepositories = 512;
/** Of one repository; the oldest are forgotten. */
const mostProofs = 256;
/** Milliseconds by which a proof may be older in its file than it is: not every request is worth a write. */
const slackMs = 60_000;

interface Entry {
  proofs: readonly AccessProof[];
  /** As they are in the file. */
  written: readonly AccessProof[];
  writing?: Promise<void>;
}

/** Which manifests of which repositories somebody was let in to, and when. */
export class ProofBook {
  readonly #files: ProofFiles;
  readonly #log: Log;
  readonly #entries = new Recent<string, Promise<Entry>>(mostRepositories);

  constructor(files: ProofFiles, log: Log) {
    this.#files = files;
    this.#log = log;
  }

  /** What the caller proved, and what is for everyone; the latest first. */
  async of(repository: string, caller: string): Promise<readonly AccessProof[]> {
    const { proofs } = await this.#entry(repository);
    return proofs.filter((proof) => proof.caller === caller || proof.caller === anonymous);
  }

  async add(repository: string, proof: AccessProof): Promise<void> {
    await this.#change(repository, (proofs) => {
      const others = proofs.filter((one) => !isSame(one, proof));
      return [proof, ...others].sort((a, b) => b.provedAtMs - a.provedAtMs).slice(0, mostProofs);
    });
  }

  /**
   * The registry said no to this caller: what it proved of the digest or the tag counts no longer.
   *
   * @param what undefined: all of the repository
   */
  async forget(
    repository: string,
    caller: string,
    what: { readonly digest?: Digest; readonly tag?: string } | undefined,
  ): Promise<void> {
    const isNamed = (one: AccessProof) =>
      what === undefined || (what.digest === undefined ? one.tag === what.tag : one.digest === what.digest);
    const isMeant = (one: AccessProof) => one.caller === caller && isNamed(one);
    await this.#change(repository, (proofs) => proofs.filter((one) => !isMeant(one)));
  }

  async #entry(repository: string): Promise<Entry> {
    const known = this.#entries.get(repository);
    if (known) return await known;
    const reading = this.#files.read(repository).then((proofs) => ({ proofs, written: proofs }));
    this.#entries.set(repository, reading);
    return await reading;
  }

  async #change(
    repository: string,
    change: (proofs: readonly AccessProof[]) => readonly AccessProof[],
  ): Promise<void> {
    const entry = await this.#entry(repository);
    entry.proofs = change(entry.proofs);
    entry.writing ??= this.#write(repository, entry).finally(() => {
      delete entry.writing;
    });
    await entry.writing;
  }

  /** Until the file says what is known; changes that come meanwhile go into the next write. */
  async #write(repository: string, entry: Entry): Promise<void> {
    while (!isClose(entry.proofs, entry.written)) {
      const { proofs } = entry;
      try {
        await this.#files.write(repository, proofs);
      } catch (error) {
        this.#log.warn({ repository, reason: messageOf(error) }, 'a proof of access cannot be kept');
      }
      entry.written = proofs;
    }
  }
}

function isSame(one: AccessProof, other: AccessProof): boolean {
  return (
    one.caller === other.caller &&
    one.tag === other.tag &&
    (one.tag !== undefined || one.digest === other.digest)
  );
}

function isClose(proofs: readonly AccessProof[], written: readonly AccessProof[]): boolean {
  if (proofs.length !== written.length) return false;
  return proofs.every((proof) =>
    written.some(
      (one) =>
        isSame(one, proof) && one.digest === proof.digest && proof.provedAtMs - one.provedAtMs < slackMs,
    ),
  );
}
