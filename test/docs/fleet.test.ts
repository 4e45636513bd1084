import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { commandLines } from '../support/deploy-files.ts';
import { inRoot } from '../support/root.ts';

const text = readFileSync(inRoot('docs', 'fleet.md'), 'utf8');
const { commands } = JSON.parse(readFileSync(inRoot('oclif.manifest.json'), 'utf8'));

function hasFlag(command: string, flag: string): boolean {
  return Object.hasOwn(commands[command]?.flags ?? {}, flag.replace(/^--/, ''));
}

describe('docs/fleet.md', () => {
  it('links to files that are there', () => {
    const links = [...text.matchAll(/\]\(([^)#]+)\)/g)].map(([, file = '']) => file);
    expect(links).toContain('../examples/deploy/kubernetes/agent.yaml');
    expect(links.filter((file) => !existsSync(path.join(inRoot('docs'), file)))).toEqual([]);
  });

  it('starts commands with flags that they have', () => {
    const lines = [...text.matchAll(/^layerpull (\w+)(.*)$/gm)];
    expect(lines.length).toBeGreaterThan(2);
    const wrong = lines.flatMap(([, command = '', rest = '']) =>
      [...rest.matchAll(/--[a-z-]+/g)].map(([flag]) => flag).filter((flag) => !hasFlag(command, flag)),
    );
    expect(wrong).toEqual([]);
  });

  it('names flags that some command has', () => {
    const known = new Set(Object.keys(commands).flatMap((command) => Object.keys(commands[command].flags)));
    const named = [...text.matchAll(/`(?:layerpull \w+ )?--([a-z-]+)/g)].map(([, flag = '']) => flag);
    expect(named.filter((flag) => !known.has(flag))).toEqual([]);
  });
});

describe('the files in examples/deploy', () => {
  it('start commands with flags that they have', () => {
    const wrong = commandLines().flatMap(({ file, command, flags }) =>
      flags.filter((flag) => !hasFlag(command, flag)).map((flag) => `${file}: ${command} ${flag}`),
    );
    expect(wrong).toEqual([]);
  });
});
