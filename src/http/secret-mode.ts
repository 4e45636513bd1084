import type { Stats } from 'node:fs';

/** A sentence for the log; undefined: nothing to say. */
export type ModeNotice = string | undefined;

/**
 * What to say of a secret that others may read. As with ssh the group counts only for a file of our own: whoever
 * handed us one of theirs chose its group for us.
 */
export function modeNotice(file: string, { mode, uid }: Stats, from: string): ModeNotice {
  const isOurs = uid === process.getuid?.();
  if ((mode & (isOurs ? 0o077 : 0o007)) === 0) return undefined;
  const octal = (mode & 0o777).toString(8).padStart(4, '0');
  return `${from}: others may read ${file} (mode ${octal}): take that away with chmod 600`;
}
