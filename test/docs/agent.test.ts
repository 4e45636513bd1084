import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readAgentConfig } from '../../src/config/agent.ts';
import { registryFlags } from '../../src/flags/registry.ts';
import { machine } from '../support/config.ts';
import { inRoot } from '../support/root.ts';

const text = readFileSync(inRoot('docs', 'agent.md'), 'utf8');
const { commands } = JSON.parse(readFileSync(inRoot('oclif.manifest.json'), 'utf8'));

/** Flags of every command, and those for registries, which another page explains. */
const elsewhere = new Set([
  ...['json', 'quiet', 'log-level', 'log-format', 'config'],
  ...Object.keys(registryFlags),
]);

/** The flags that a row of the table names, and what it says is their default. */
const rows = [...text.matchAll(/^\| (`--.*?) \| (.*?) \|/gm)].map(([, names = '', standard = '']) => ({
  names: [...names.matchAll(/--([a-z-]+)/g)].map(([, name = '']) => name),
  standard: standard.replaceAll('`', ''),
}));

const standardOf = (name: string) => rows.find(({ names }) => names.includes(name))?.standard;

describe('docs/agent.md', () => {
  it('explains each flag of the agent, and no other', () => {
    const own = Object.keys(commands.agent.flags).filter((name) => !elsewhere.has(name));
    expect(rows.flatMap(({ names }) => names).toSorted()).toEqual(own.toSorted());
  });

  it('names flags that some command has', () => {
    const named = [...text.matchAll(/--([a-z][a-z-]+)/g)].map(([, name = '']) => name);
    const known = Object.values<{ flags: object }>(commands).flatMap(({ flags }) => Object.keys(flags));
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
  });

  it('says the defaults as they are', () => {
    const { peer, drainMs, mirror } = readAgentConfig(
      { server: 'lock.example:1', 'registry-addr': '127.0.0.1:1' },
      machine,
    );
    expect(standardOf('peer-addr')).toBe(`${peer?.host}:${peer?.port} with --server, else none`);
    expect(standardOf('drain-timeout')).toBe(`${drainMs / 1_000}s`);
    expect(standardOf('offline-ttl')).toBe(`${(mirror?.offlineTtlMs ?? 0) / 3_600_000}h`);
    expect(standardOf('registry-addr')).toBe('none');
    expect(readAgentConfig({}, machine).mirror).toBeUndefined();
  });
});
