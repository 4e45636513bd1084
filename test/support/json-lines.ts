import { patienceMs } from './patience.ts';
import { type TextLog, waitForChange } from './text-log.ts';

/** The objects that one of our test programs writes, one a line. */
export interface LineReader<Line extends { readonly kind: string }> {
  /**
   * The first line of one of these kinds after those that were answered before.
   *
   * @throws an error that shows the output, when it ends without one or after `timeoutMs` (60 s)
   */
  next<K extends Line['kind']>(
    kinds: K | readonly K[],
    timeoutMs?: number,
  ): Promise<Extract<Line, { kind: K }>>;
  /** All so far. */
  lines(): readonly Line[];
}

/** For the output of a program of ours, whose lines are trusted to be what its types say. */
export function createLineReader<Line extends { readonly kind: string }>(log: TextLog): LineReader<Line> {
  let answered = 0;
  const lines = () => log.lines().map((line): Line => JSON.parse(line));
  return {
    lines,
    next: <K extends Line['kind']>(kinds: K | readonly K[], timeoutMs = patienceMs) => {
      const wanted: readonly string[] = [kinds].flat();
      const isWanted = (line: Line): line is Extract<Line, { kind: K }> => wanted.includes(line.kind);
      return waitForChange(log, timeoutMs, wanted.join(' or '), () => {
        const said = lines();
        const at = said.findIndex((line, index) => index >= answered && isWanted(line));
        if (at >= 0) answered = at + 1;
        return at < 0 ? undefined : said.slice(at).find(isWanted);
      });
    },
  };
}
