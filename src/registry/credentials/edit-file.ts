import { randomBytes } from 'node:crypto';
import { mkdir, open, realpath, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { isLayerpullError, LayerpullError, messageOf, systemCodeOf } from '../../core/errors.ts';
import { type AuthFile, readAuthFile } from './auth-file.ts';
import { whileLocked } from './file-lock.ts';

/** What becomes of the file: all of it, as it shall be; undefined leaves it as it is. */
export type AuthFileChange = (file: AuthFile) => object | undefined;

/**
 * Changes a file of credentials in docker's form: whole or not at all, readable by its owner only, and one after the
 * other, so that two changes at the same time are both there in the end. A link stays one, and its target is replaced.
 *
 * @returns whether it was changed
 * @throws LayerpullError `credentials_unusable`; `signal.reason`
 */
export async function changeAuthFile(
  path: string,
  waiting: { readonly clock: Clock; readonly signal: AbortSignal },
  change: AuthFileChange,
): Promise<boolean> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const target = await targetOf(path);
    return await whileLocked(target, waiting, async () => {
      const document = change(await readOrBegin(path));
      if (document) await replace(target, `${JSON.stringify(document, null, '\t')}\n`);
      return document !== undefined;
    });
  } catch (error) {
    waiting.signal.throwIfAborted();
    if (isLayerpullError(error)) throw error;
    throw new LayerpullError('credentials_unusable', `cannot write ${path}: ${messageOf(error)}`, {
      hint: 'look at who may write there, or name another file with --authfile',
      origin: 'user',
      cause: error,
    });
  }
}

/** The file, or the beginning of one. @throws LayerpullError `credentials_unusable` */
export async function readOrBegin(path: string): Promise<AuthFile> {
  return (await readAuthFile(path)) ?? { path, document: {}, auths: {}, credHelpers: {}, credsStore: '' };
}

async function targetOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return path;
    throw error;
  }
}

async function replace(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(8).toString('hex')}`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
