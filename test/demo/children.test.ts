import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import {
  type Child,
  childEnvironment,
  createSpawner,
  stopChildren,
  tether,
} from '../../src/demo/children.ts';
import { onCleanup } from '../support/cleanup.ts';
import { tempDir } from '../support/temp.ts';

/** Starts a program of one file; it is killed at the end of the test if it still runs. */
function start(code: string, args: readonly string[] = [], folder = tempDir()): Child {
  const program = path.join(tempDir(), 'program.mjs');
  fs.writeFileSync(program, code);
  const child = createSpawner({ program, env: process.env }, folder)(args);
  onCleanup(async () => {
    child.kill('SIGKILL');
    await child.ended;
  });
  return child;
}

async function text(stream: AsyncIterable<unknown>): Promise<string> {
  let all = '';
  for await (const piece of stream) all += String(piece);
  return all;
}

test('a child gets its arguments, and ends by itself although its stdin stays open', async () => {
  const child = start('console.log(process.argv.slice(2).join()); process.exitCode = 3;', ['a', 'b']);
  expect(await text(child.stdout)).toBe('a,b\n');
  expect(await child.ended).toEqual({ kind: 'exit', code: 3 });
});

test('a child does not see what is set for layerpull', () => {
  const env = { PATH: '/bin', LAYERPULL_SERVER: 'x', LOCK_SERVER_URL: 'x', NODE_ID: 'x', GONE: undefined };
  expect(childEnvironment(env)).toEqual({ PATH: '/bin' });
});

test('stopping asks first and then uses force', async () => {
  const polite = start(
    "process.on('SIGTERM', () => process.exit(7)); setInterval(() => {}, 1e6); console.log();",
  );
  const stubborn = start("process.on('SIGTERM', () => {}); setInterval(() => {}, 1e6); console.log();");
  const children = [polite, stubborn];
  await Promise.all(children.map((child) => new Promise((resolve) => child.stdout.once('data', resolve))));
  await stopChildren(children, systemClock, 100);
  expect(await polite.ended).toEqual({ kind: 'exit', code: 7 });
  expect(await stubborn.ended).toEqual({ kind: 'signal', signal: 'SIGKILL' });
});

test('stopping children that have ended already does nothing', async () => {
  const child = start('');
  await child.ended;
  await stopChildren([child], systemClock, 100);
});

test('when the parent is killed the child ends in order, and the folder goes', async () => {
  const folder = tempDir();
  const program = path.join(tempDir(), 'program.mjs');
  fs.writeFileSync(
    program,
    `process.on('SIGTERM', () => { console.log('in order'); process.exit(0); });
     setInterval(() => {}, 1e6);
     console.log('ready');`,
  );
  const args = JSON.stringify(['--import', tether(folder), program]);
  const parentCode = `require('node:child_process')
    .spawn(process.execPath, ${args}, { stdio: ['pipe', 'inherit', 'inherit'] });`;
  const parent = spawn(process.execPath, ['-e', parentCode], { stdio: ['ignore', 'pipe', 'ignore'] });
  onCleanup(() => void parent.kill('SIGKILL'));
  await new Promise((resolve) => parent.stdout.once('readable', resolve));
  parent.kill('SIGKILL');
  // The child has the same stdout, so its end is the end of the stream.
  expect(await text(parent.stdout)).toBe('ready\nin order\n');
  expect(fs.existsSync(folder)).toBe(false);
});
