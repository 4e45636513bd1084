import { appendFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import type { TextLog } from './text-log.ts';

/** Has all that a program says in a file, too, as it comes: for people, after the test. */
export function keepOutput(log: TextLog, file: string): void {
  mkdirSync(path.dirname(file), { recursive: true });
  let kept = 0;
  const keep = () => {
    const text = log.text();
    appendFileSync(file, text.slice(kept));
    kept = text.length;
  };
  keep();
  log.onChange(keep);
}
