import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { tempDir } from './temp.ts';

export interface CredentialHelper {
  /** Its folder, for the `PATH`. */
  readonly dir: string;
  /** What it keeps now, by server. */
  kept(): Record<string, { Username: string; Secret: string }>;
  /** How it was called: `get registry.example`. */
  calls(): string[];
}

/** A real program `docker-credential-NAME` that keeps what it is given in a file. */
export function makeHelper(name: string): CredentialHelper {
  return writeHelper(name, keeping);
}

/** A program `docker-credential-NAME` that does something else; `body` is shell. */
export function makeOddHelper(name: string, body: string): CredentialHelper {
  return writeHelper(name, `#!/bin/sh\n${body}\n`);
}

function writeHelper(name: string, text: string): CredentialHelper {
  const dir = tempDir();
  mkdirSync(path.join(dir, 'state'));
  const file = path.join(dir, `docker-credential-${name}`);
  writeFileSync(file, text);
  chmodSync(file, 0o755);
  const read = (part: string) => {
    const state = path.join(dir, 'state', part);
    return existsSync(state) ? readFileSync(state, 'utf8') : undefined;
  };
  return {
    dir,
    kept: () => JSON.parse(read('kept.json') ?? '{}'),
    calls: () => (read('calls') ?? '').split('\n').filter((line) => line !== ''),
  };
}

/** As the helpers of github.com/docker/docker-credential-helpers: reasons on stdout, a status of 1. */
const keeping = `#!${process.execPath}
const fs = require('node:fs');
const state = require('node:path').join(__dirname, 'state');
const file = state + '/kept.json';
const kept = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : {};
const input = fs.readFileSync(0, 'utf8');
const action = process.argv[2];
const server = action === 'store' ? JSON.parse(input).ServerURL : input.trim();
fs.appendFileSync(state + '/calls', action + ' ' + server + '\\n');
const missing = () => {
  process.stdout.write('credentials not found in native keychain\\n');
  process.exit(1);
};
if (action === 'get') {
  if (!kept[server]) missing();
  process.stdout.write(JSON.stringify({ ServerURL: server, ...kept[server] }));
} else if (action === 'store') {
  const { Username, Secret } = JSON.parse(input);
  kept[server] = { Username, Secret };
  fs.writeFileSync(file, JSON.stringify(kept));
} else if (action === 'erase') {
  if (!kept[server]) missing();
  delete kept[server];
  fs.writeFileSync(file, JSON.stringify(kept));
}
`;
