import { randomBytes } from 'node:crypto';
import { mkdir, open, realpath, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LayerpullError, messageOf, systemCodeOf } from '../../core/errors.ts';

/**
 * Puts a document in the place of a file of credentials, in docker's form: whole or not at all, readable by its owner
 * only. A link stays one, and its target is replaced.
 *
 * @throws LayerpullError `credentials_unusable`
 */
export async function replaceAuthFile(path: string, document: object): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await replace(await targetOf(path), `${JSON.stringify(document, null, '\t')}\n`);
  } catch (error) {
    throw new LayerpullError('credentials_unusable', `cannot write ${path}: ${messageOf(error)}`, {
      hint: 'look at who may write there, or name another file with --authfile',
      origin: 'user',
      cause: error,
    });
  }
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
