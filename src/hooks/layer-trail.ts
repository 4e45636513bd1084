import { isLayerpullError, LayerpullError } from '../core/errors.ts';
import type { SourceUse, Standing } from '../source/blob-source.ts';

const good: Standing = { kind: 'good' };
const doubtful: Standing = { kind: 'doubtful' };
const barred: Standing = { kind: 'barred' };

/** After the second one no relay is read, unless all else has failed. */
const maxRestarts = 2;

/**
 * Which sources gave the bytes of one layer, and what follows when they turn out wrong: whoever gave all of them is
 * wrong; of several, or of bytes that were there before, nobody knows who it was, so all of them are doubtful. A
 * doubtful source is asked last, and then alone from the first byte to the last, so that the next result is proof.
 *
 * A relay, which hands on what it is only downloading itself, is never to blame, nor is anybody beside it: it could not
 * check the bytes yet, finds out when it has all of them, and begins again as we do. So the sources stay as they are, and
 * it is counted how often that happened.
 */
export class Trail {
  readonly #wrong = new Map<string, unknown>();
  readonly #doubtful = new Set<string>();
  #contributors = new Set<string>();
  #relays = new Set<string>();
  #current: string | undefined;
  #hasBarred = false;
  #restarts = 0;

  /** How often the bytes were wrong that relays had a part in. */
  get restarts(): number {
    return this.#restarts;
  }

  /** The bytes from now on belong to a new file. */
  begin(): void {
    this.#contributors = new Set();
    this.#relays = new Set();
    this.#current = undefined;
    this.#hasBarred = false;
  }

  /** @param isRelay whether the source cannot have checked what it gives */
  use({ url }: SourceUse, isRelay = false): void {
    this.#current = url;
    if (isRelay) this.#relays.add(url);
  }

  /** Bytes came from the source in use. */
  gave(): void {
    if (this.#current !== undefined) this.#contributors.add(this.#current);
  }

  readonly standing = (url: string): Standing => {
    if (this.#wrong.has(url)) return { kind: 'wrong', error: this.#wrong.get(url) };
    if (this.#mayNotGoOn(url)) {
      this.#hasBarred = true;
      return barred;
    }
    return this.#doubtful.has(url) ? doubtful : good;
  };

  #mayNotGoOn(url: string): boolean {
    const others = [...this.#contributors].filter((other) => other !== url);
    return others.length > 0 && [url, ...others].some((one) => this.#doubtful.has(one));
  }

  /**
   * The bytes were wrong. Answers whether another try can end differently.
   *
   * @param inherited whether some of them were there before
   */
  mismatch(error: unknown, inherited: boolean): boolean {
    const given = [...this.#contributors];
    if (given.some((url) => this.#relays.has(url))) {
      this.#restarts += 1;
      return this.#restarts <= maxRestarts;
    }
    const isProof = !inherited && given.length === 1;
    const news = given.filter((url) => !(isProof ? this.#wrong : this.#doubtful).has(url));
    for (const url of news) {
      if (isProof) this.#wrong.set(url, error);
      else this.#doubtful.add(url);
    }
    return inherited || news.length > 0;
  }

  /**
   * The bytes ended with an error. Answers whether a start at zero can end differently: there are sources that might not
   * go on beside the bytes of those who broke off.
   */
  brokeOff(error: unknown): boolean {
    if (!this.#hasBarred || !isOfSource(error)) return false;
    const gaveUp = new LayerpullError('registry_failed', 'broke off', { retryable: false, cause: error });
    for (const url of this.#contributors) this.#wrong.set(url, gaveUp);
    return true;
  }
}

/** Not the end of the time that the layer may take, which no other source would have more of. */
function isOfSource(error: unknown): boolean {
  if (!isLayerpullError(error) || error.code === 'timed_out') return false;
  return error.origin === 'registry' || error.origin === 'peer';
}
