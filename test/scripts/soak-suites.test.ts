import fs from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import soakSuites from '../../scripts/lib/soak-suites.json' with { type: 'json' };
import { root } from '../support/root.ts';

function testFiles(folder: string): string[] {
  return fs.readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return testFiles(name);
    return name.endsWith('.test.ts') ? [name] : [];
  });
}

it('the list of soak suites names each test that goes on until its time is up', () => {
  const found = testFiles('test').filter((file) =>
    /from '[./]+support\/soak\.ts'/.test(fs.readFileSync(path.join(root, file), 'utf8')),
  );
  expect([...soakSuites].sort()).toEqual(found.sort());
});
