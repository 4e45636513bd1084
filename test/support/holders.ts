import type { Hold } from '../../src/lock/locks.ts';

/** Who holds what, as the holders themselves see it. */
export class Holders {
  readonly #holding = new Map<string, Hold>();
  readonly #lastTokens = new Map<string, { readonly who: string; readonly token: number }>();
  readonly #successes = new Map<string, number>();
  /** What must not be. */
  readonly problems: string[] = [];
  grants = 0;

  /** @returns what ends it, with whether the work succeeded */
  begin(who: string, what: string, hold: Hold): (succeeded: boolean) => void {
    this.grants += 1;
    const { token } = hold;
    const other = this.#holding.get(what);
    if (other && !other.revoked.aborted)
      this.problems.push(`${what} is held under ${other.token} and ${token}`);
    if (token === undefined) this.problems.push(`${what} is held without a token`);
    else this.#noteToken(who, what, token);
    this.#holding.set(what, hold);
    return (succeeded) => {
      if (hold.revoked.aborted) this.problems.push(`${what}: ${token} was taken from a live holder`);
      if (this.#holding.get(what) === hold) this.#holding.delete(what);
      if (succeeded) this.#successes.set(what, (this.#successes.get(what) ?? 0) + 1);
    };
  }

  /** Whose release did not get through still has the lock. */
  #noteToken(who: string, what: string, token: number): void {
    const last = this.#lastTokens.get(what) ?? { who, token: 0 };
    if (token < last.token || (token === last.token && who !== last.who))
      this.problems.push(`${what}: ${token} of ${who} comes after ${last.token} of ${last.who}`);
    this.#lastTokens.set(what, { who, token });
  }

  /** How often each succeeded. */
  successes(): readonly number[] {
    return [...this.#successes.values()];
  }
}
