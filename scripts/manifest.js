#!/usr/bin/env node
// Writes oclif.manifest.json from the built commands: what oclif knows without loading them.
// Usage: node scripts/manifest.js [--check]     --check: exit 1 when the committed file is stale
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Plugin, settings } from '@oclif/core';

const root = fileURLToPath(new URL('..', import.meta.url));
const file = join(root, 'oclif.manifest.json');
const { values } = parseArgs({ options: { check: { type: 'boolean' } } });

settings.enableAutoTranspile = false;
const plugin = new Plugin({
  root,
  isRoot: true,
  ignoreManifest: true,
  errorOnManifestCreate: true,
  respectNoCacheDefault: true,
});
await plugin.load();

const { commands, version } = plugin.manifest;
const sorted = Object.fromEntries(Object.entries(commands).sort(([a], [b]) => (a < b ? -1 : 1)));
const text = `${JSON.stringify({ commands: sorted, version }, null, 2)}\n`;

if (values.check) await check();
else await writeFile(file, text);

async function check() {
  const committed = await readFile(file, 'utf8').catch(() => '');
  if (committed === text) return;
  process.stderr.write(
    'oclif.manifest.json is stale: run "npm run build && npm run manifest" and commit it\n',
  );
  process.exitCode = 1;
}
