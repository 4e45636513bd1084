import { LayerpullError } from '../core/errors.ts';

/** @param where the file, or a table in it */
export function wrongFile(
  where: string,
  problem: string,
  hint = 'mend it, or name another file with --config',
): LayerpullError {
  return new LayerpullError('usage', `${where} ${problem}`, { hint });
}
