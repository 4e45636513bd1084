import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readDoctorConfig } from '../../src/config/doctor.ts';
import { checkRoom } from '../../src/doctor/store.ts';
import { registryFlags } from '../../src/flags/registry.ts';
import { machine } from '../support/config.ts';
import { inRoot } from '../support/root.ts';

const text = readFileSync(inRoot('docs', 'doctor.md'), 'utf8');
const { commands } = JSON.parse(readFileSync(inRoot('oclif.manifest.json'), 'utf8'));

/** What the first table says is looked at. */
const checks = [...text.matchAll(/^\| `([a-z ]+)` \| \S.*\|$/gm)].map(([, name]) => name);

/** Flags that other pages explain. */
const elsewhere = new Set([
  ...['json', 'quiet', 'log-level', 'log-format', 'config', 'server', 'store'],
  ...['token-file', 'tls-cert', 'tls-key', 'tls-ca'],
  ...Object.keys(registryFlags),
]);

describe('docs/doctor.md', () => {
  it('has a row for everything that is looked at, in the order of the output', () => {
    expect(checks).toEqual([
      ...['node', 'clock', 'store', 'free space', 'lock server', 'lock servers', 'registry'],
      ...['containerd config', 'content plugin', 'containerd', 'containerd root'],
    ]);
  });

  it('explains each flag that only the doctor has, with its default', () => {
    const rows = [...text.matchAll(/^\| `--([a-z-]+) [A-Z]+` \| (.*?) \|/gm)].map(([, name, standard]) => [
      name,
      standard,
    ]);
    const own = Object.keys(commands.doctor.flags).filter((name) => !elsewhere.has(name));
    expect(rows.map(([name]) => name).toSorted()).toEqual(own.toSorted());
    const { configFile } = readDoctorConfig({}, machine).containerd;
    expect(rows.find(([name]) => name === 'containerd-config')?.[1]).toBe(`\`${configFile}\``);
  });

  it('says the bounds of free space as they are', async () => {
    const at = async (bytes: number, files: number) => {
      const found = await checkRoom('/', async () => ({
        bsize: 1,
        bavail: bytes,
        files: 1_000_000,
        ffree: files,
      }));
      return found?.verdict;
    };
    const [MiB, GiB] = [1_048_576, 1_073_741_824];
    expect(text).toContain('fewer than 64 MiB or 100 files are free; a warning below 2 GiB or 10,000 files');
    expect([await at(64 * MiB - 1, 20_000), await at(64 * MiB, 20_000)]).toEqual(['problem', 'warning']);
    expect([await at(2 * GiB, 99), await at(2 * GiB, 100)]).toEqual(['problem', 'warning']);
    expect([await at(2 * GiB - 1, 10_000), await at(2 * GiB, 10_000)]).toEqual(['warning', 'ok']);
  });
});
