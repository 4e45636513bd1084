import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { messageOf, systemCodeOf } from '../core/errors.ts';
import { wrongFile } from './file-error.ts';
import { type GivenFlags, type Machine, setting } from './values.ts';

const longestFile = 1_048_576;

/**
 * The machine with its configuration file: that of `--config` or `LAYERPULL_CONFIG`, which has to be there, else
 * `$XDG_CONFIG_HOME/layerpull/config.toml` (`~/.config` without it), and for root `/etc/layerpull/config.toml`. An empty
 * `--config` means none.
 *
 * @param flagNames of all commands: what may stand in the file
 * @throws LayerpullError `usage` for a file that cannot be read, and for what it may not say
 */
export async function withConfigFile(
  machine: Machine,
  flags: GivenFlags,
  flagNames: () => Iterable<string>,
): Promise<Machine> {
  const named = setting('config', flags, machine);
  if (named?.text === '') return machine;
  const path = named ? resolve(machine.workingDirectory, named.text) : defaultPath(machine);
  const text = await readText(path, named !== undefined);
  if (text === undefined) return machine;
  // Loaded only where there is something to parse.
  const { parseConfigFile } = await import('./file-content.ts');
  return { ...machine, file: parseConfigFile(path, text, flagNames()) };
}

function defaultPath({ superuser, env, home }: Machine): string {
  if (superuser) return '/etc/layerpull/config.toml';
  const configHome = env['XDG_CONFIG_HOME'];
  // The XDG specification: a relative path is invalid and is ignored.
  const base = configHome?.startsWith('/') ? configHome : join(home, '.config');
  return join(base, 'layerpull', 'config.toml');
}

async function readText(path: string, isNamed: boolean): Promise<string | undefined> {
  try {
    const text = await readFile(path, 'utf8');
    if (text.length > longestFile) throw wrongFile(path, `is longer than ${longestFile} characters`);
    return text;
  } catch (error) {
    const code = systemCodeOf(error);
    if (!isNamed && (code === 'ENOENT' || code === 'ENOTDIR')) return undefined;
    throw code === undefined ? error : wrongFile(path, `cannot be read: ${messageOf(error)}`);
  }
}
