/** The few ways in which records are built: the names of their fields in order. */
export class Shapes {
  readonly all: (readonly string[])[] = [];
  /** Places of those with so many fields. */
  readonly #bySize: number[][] = [];

  placeOf(keys: readonly string[]): number {
    const candidates = this.#bySize[keys.length] ?? [];
    for (const place of candidates) if (isSame(this.all[place], keys)) return place;
    const place = this.all.push(keys) - 1;
    this.#bySize[keys.length] = [...candidates, place];
    return place;
  }
}

function isSame(one: readonly string[] | undefined, other: readonly string[]): boolean {
  for (let index = 0; index < other.length; index += 1) if (one?.[index] !== other[index]) return false;
  return true;
}
