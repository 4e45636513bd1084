import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { bad, unreadable } from './certificates.ts';
import { type ModeNotice, modeNotice } from './secret-mode.ts';

const from = '--token-file';
const maxBytes = 65_536;
const maxTokens = 100;

export interface TokenFile {
  /** At least one. */
  readonly tokens: readonly string[];
  readonly notice: ModeNotice;
}

/** Reads tokens, one a line; empty lines are passed over. @throws LayerpullError `usage`, never with a token in it */
export function readTokenFile(file: string): TokenFile {
  const { text, notice } = readSecret(file);
  const lines = text.split('\n').map((line) => line.trim());
  const tokens = lines.filter((line) => line !== '');
  if (tokens.length === 0)
    throw bad(file, 'holds no token', 'write one into it, such as of openssl rand -hex 32', from);
  if (tokens.length > maxTokens)
    throw bad(file, `holds more than ${maxTokens} tokens`, 'keep those in use', from);
  const wrong = lines.findIndex((line) => line !== '' && !isToken(line));
  if (wrong >= 0) {
    const hint = 'one a line, of letters, digits and - . _ ~ + / = (at most 1,024)';
    throw bad(file, `has something in line ${wrong + 1} that is no token`, hint, from);
  }
  return { tokens, notice };
}

/** As RFC 6750 writes them. */
function isToken(text: string): boolean {
  return text.length <= 1_024 && /^[A-Za-z0-9._~+/-]+=*$/.test(text);
}

function readSecret(file: string): { text: string; notice: ModeNotice } {
  const { bytes, stats } = readBytes(file);
  if (!stats.isFile()) {
    throw bad(
      file,
      'is no regular file',
      'it is read again when it changes: write the tokens into a file',
      from,
    );
  }
  if (bytes.length > maxBytes)
    throw bad(file, `is longer than ${maxBytes / 1_024} KiB`, 'one token a line', from);
  return { text: bytes.toString('utf8'), notice: modeNotice(file, stats, from) };
}

function readBytes(file: string): { bytes: Buffer; stats: Stats } {
  let handle: number | undefined;
  try {
    // A pipe that nobody writes to would stop everything.
    handle = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(handle);
    return { bytes: stats.isFile() ? readSome(handle) : Buffer.alloc(0), stats };
  } catch (error) {
    throw unreadable(file, error, from);
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}

/** As much as it may have and a byte more. */
function readSome(handle: number): Buffer {
  const bytes = Buffer.alloc(maxBytes + 1);
  let length = 0;
  for (let read = 1; read > 0; length += read)
    read = readSync(handle, bytes, length, bytes.length - length, null);
  return bytes.subarray(0, length);
}
