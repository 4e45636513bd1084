import { resolve } from 'node:path';
import { type GivenFlags, type Machine, setting, usage } from './values.ts';

/** The kernel keeps the path of a socket in 108 bytes, the last of which ends it; what is longer is cut in silence. */
const maxPathBytes = 107;

/** The absolute path of a socket, also given as `unix://PATH`. An empty one counts as absent. @throws LayerpullError `usage` */
export function readSocketPath(name: string, flags: GivenFlags, machine: Machine): string | undefined {
  const given = setting(name, flags, machine);
  if (!given || given.text === '') return undefined;
  const text = given.text.replace(/^unix:\/\/(?=\/)/, '');
  const hint = 'give the path of a socket, such as /run/layerpull/content.sock';
  if (text.trim() === '' || text.endsWith('/') || text.includes('\0'))
    throw usage(given, 'names no socket', hint);
  if (/^[a-z]+:\/\//i.test(text)) throw usage(given, 'is no path', hint);
  const path = resolve(machine.workingDirectory, text);
  const bytes = Buffer.byteLength(path);
  if (bytes <= maxPathBytes) return path;
  throw usage(
    { ...given, text: path },
    `has ${bytes} bytes, and a socket's path at most ${maxPathBytes}`,
    'choose a shorter one',
  );
}
