import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseConfigFile } from '../../src/config/file-content.ts';
import { inRoot } from '../support/root.ts';

const manifest: { commands: Record<string, { flags: Record<string, { type: string }> }> } = JSON.parse(
  readFileSync(inRoot('oclif.manifest.json'), 'utf8'),
);
const flags = Object.values(manifest.commands).flatMap((command) => Object.keys(command.flags));

/** All that reads configuration. */
const readers = readdirSync(inRoot('src', 'config'))
  .map((name) => `src/config/${name}`)
  .concat('src/config.ts')
  .map((name) => readFileSync(inRoot(name), 'utf8'))
  .join('\n');

function mayStandInFile(name: string): boolean {
  try {
    parseConfigFile('/config.toml', `${name} = "x"`, flags);
    return true;
  } catch {
    return false;
  }
}

describe('the configuration file', () => {
  it.each([...new Set(flags)].filter(mayStandInFile))('may set %s, and somebody reads it', (name) => {
    expect(readers.includes(`'${name}'`)).toBe(true);
  });

  it.each(['config', 'json', 'dry-run', 'password', 'password-stdin', 'username', 'print-config'])(
    'may not set %s, which belongs to one run',
    (name) => {
      expect(mayStandInFile(name)).toBe(false);
    },
  );
});
