import { bad } from './certificates.ts';
import { readSecretFile } from './secret-file.ts';
import type { ModeNotice } from './secret-mode.ts';

const from = '--token-file';
const maxBytes = 65_536;
const maxTokens = 100;
const hints = {
  irregular: 'it is read again when it changes: write the tokens into a file',
  tooLong: 'one token a line',
};

export interface TokenFile {
  /** At least one. */
  readonly tokens: readonly string[];
  readonly notice: ModeNotice;
}

/** Reads tokens, one a line; empty lines are passed over. @throws LayerpullError `usage`, never with a token in it */
export function readTokenFile(file: string): TokenFile {
  const { text, notice } = readSecretFile(file, { from, maxBytes, hints });
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
