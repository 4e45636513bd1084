import { spawnSync } from 'node:child_process';
import { expect } from 'vitest';
import { type Child, spawnProcess } from '../support/processes.ts';
import { tempDir } from '../support/temp.ts';
import { waitForChange } from '../support/text-log.ts';
import { fillIn, type Names, patternOf, putIn } from './placeholders.ts';
import type { Example } from './transcript.ts';

/** Why there is no curl to run examples with; undefined where there is one. */
export function whyNoCurl(): string | undefined {
  return spawnSync('curl', ['--version']).error
    ? 'curl is missing: install it, or put it on PATH'
    : undefined;
}

/** The address that the examples of the documents ask. */
const documented = 'http://127.0.0.1:8080';
const patienceMs = 20_000;

/** A stream that began as the document says; `finish` waits for the rest of it. */
export interface RunningStream {
  finish(): Promise<void>;
}

/** Runs one example against the server at `url` and compares the answer. Streams go on beside the next examples. */
export async function runExample(
  url: string,
  example: Example,
  names: Names,
): Promise<RunningStream | undefined> {
  const isStream = example.command.startsWith('curl --no-buffer');
  const run = isStream ? startStream : runToEnd;
  try {
    return await run(url, example, names);
  } catch (error) {
    throw at(example, error);
  }
}

function at({ line }: Example, error: unknown): unknown {
  if (error instanceof Error) error.message = `the example in line ${line}: ${error.message}`;
  return error;
}

async function runToEnd(url: string, example: Example, names: Names): Promise<undefined> {
  const child = await startCurl(`${commandOf(url, example, names)} --write-out '\\n%{http_code}\\n'`);
  const { code } = await child.exited;
  expect(code, child.stderr.text()).toBe(0);
  const [, body = '', status] = /^([\s\S]*)\n(\d+)\n$/.exec(child.stdout.text()) ?? [];
  expect(Number(status), body).toBe(example.status);
  compare(example, body, names);
}

function compare({ answer }: Example, body: string, names: Names): void {
  if (answer?.language === 'json') {
    const actual: unknown = JSON.parse(body);
    expect(actual).toEqual(fillIn(JSON.parse(answer.text), actual, names));
    return;
  }
  expect(`${body.trimEnd()}\n`).toMatch(patternOf(putIn(names, answer?.text ?? '')));
}

async function startStream(url: string, example: Example, names: Names): Promise<RunningStream> {
  const child = await startCurl(commandOf(url, example, names));
  await child.stdout.waitFor(/^id: .*\n(?:.+\n)*\n/m, patienceMs);
  const finish = async () => {
    // Names may have come to stand for something since the stream began.
    const pattern = patternOf(putIn(names, example.answer?.text ?? ''));
    const matches = () => pattern.exec(withoutPings(child.stdout.text())) ?? undefined;
    await waitForChange(child.stdout, patienceMs, String(pattern), matches);
    child.kill();
    await child.exited;
  };
  return {
    finish: () => finish().catch((error) => Promise.reject(at(example, error))),
  };
}

/** What a stream said, without its signs of life and with its events numbered as if there had been none. */
export function withoutPings(text: string): string {
  const parts = text.split('\n\n').filter((part) => part !== '');
  const told = parts.filter((part) => part !== ': ping' && !part.includes('event: ping\n'));
  let number = 0;
  const renumbered = told.map((part) =>
    part.replace(/^id: \d+$/m, () => {
      number += 1;
      return `id: ${number}`;
    }),
  );
  return `${renumbered.join('\n\n')}\n`;
}

function commandOf(url: string, { command }: Example, names: Names): string {
  return putIn(names, command).replaceAll(documented, url);
}

/** Curl in a shell, steered by nothing but the command. */
async function startCurl(command: string): Promise<Child> {
  const env = { PATH: process.env['PATH'], HOME: tempDir(), LC_ALL: 'C.UTF-8', no_proxy: '*' };
  // In its place: so that a signal ends curl and not only the shell.
  return await spawnProcess('sh', ['-c', `exec ${command}`], { env });
}
