import fs from 'node:fs';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { deferred } from '../../src/core/abort.ts';
import type { Child, ChildEnd, SpawnChild } from '../../src/demo/children.ts';
import type { DemoResult } from '../../src/demo/result.ts';
import { type DemoOptions, type DemoStart, runDemo } from '../../src/demo/run.ts';
import { progressLine } from '../../src/ui/progress-json.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { pullEvents, pullResult } from '../support/pull-events.ts';

/** What a made-up process does: writes, and ends with the returned code; undefined: lives until it is stopped. */
type Act = (
  args: readonly string[],
  out: (line: string) => void,
  err: (line: string) => void,
) => number | undefined;

function fakeChild(args: readonly string[], act: Act): Child {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const ended = deferred<ChildEnd>();
  const end = (how: ChildEnd) => {
    stdout.end();
    stderr.end();
    ended.resolve(how);
  };
  const code = act(
    args,
    (line) => stdout.write(`${line}\n`),
    (line) => stderr.write(`${line}\n`),
  );
  if (code !== undefined) end({ kind: 'exit', code });
  return { stdout, stderr, ended: ended.promise, kill: (signal) => end({ kind: 'signal', signal }) };
}

const goodServer: Act = (_args, out) => {
  out('http://127.0.0.1:4000');
  return undefined;
};

const goodPull: Act = (args, out, err) => {
  const downloaded = args[args.indexOf('--node') + 1] === 'node-a';
  err(JSON.stringify(progressLine(pullEvents.resolved, 0)));
  const layers = pullResult.layers.map((layer) => ({
    ...layer,
    outcome: downloaded ? 'downloaded' : 'skipped',
  }));
  out(JSON.stringify({ ...pullResult, layers, bytesFromRegistry: downloaded ? 6_292_456 : 0 }));
  return 0;
};

async function demo(acts: { serve?: Act; pull?: Act }, extra: Partial<DemoOptions> = {}) {
  const commands: (readonly string[])[] = [];
  const children: Child[] = [];
  const trouble: string[] = [];
  const events: string[] = [];
  let start: DemoStart | undefined;
  let folder = '';
  const { serve = goodServer, pull = goodPull } = acts;
  const spawn: SpawnChild = (args) => {
    commands.push(args);
    const child = fakeChild(args, args[0] === 'serve' ? serve : pull);
    children.push(child);
    return child;
  };
  const result: DemoResult | Error = await runDemo({
    image: 'registry.example/app',
    nodes: 2,
    clock: createFakeClock(),
    signal: new AbortController().signal,
    createSpawn: (given) => {
      folder = given;
      return spawn;
    },
    onStart: (given) => {
      start = given;
    },
    onEvent: (node, event) => events.push(`${node} ${event.kind}`),
    onTrouble: (name, lines) => trouble.push(...lines.map((line) => `${name}: ${line}`)),
    ...extra,
  }).catch((error: Error) => error);
  const ends = await Promise.all(children.map((child) => child.ended));
  return { result, commands, ends, trouble, events, start, folder };
}

test('a server and the nodes share one store, and nothing is left', async () => {
  const { commands, ends, folder, start, events } = await demo({}, { nodes: 3 });
  expect(commands.map((args) => args[0])).toEqual(['serve', 'pull', 'pull', 'pull']);
  for (const args of commands.slice(1)) {
    expect(args[1]).toBe('registry.example/app');
    expect(args.join(' ')).toContain(`--store ${path.join(folder, 'store')} --server http://127.0.0.1:4000`);
  }
  expect(start).toMatchObject({ nodes: ['node-a', 'node-b', 'node-c'], lockServer: 'http://127.0.0.1:4000' });
  expect(events).toEqual(['node-a resolved', 'node-b resolved', 'node-c resolved']);
  expect(ends[0]).toEqual({ kind: 'signal', signal: 'SIGTERM' });
  expect(fs.existsSync(folder)).toBe(false);
});

test('with a real registry the bytes come from the nodes', async () => {
  const { result } = await demo({});
  expect(result).toMatchObject({
    nodes: ['node-a', 'node-b'],
    registry: { embedded: false, bytesPerSecond: null, reads: null },
    bytesFromRegistry: 6_292_456,
    imageBytes: 6_292_456,
    bytesOfSeparatePulls: 12_584_912,
  });
  const layers = result instanceof Error ? [] : result.layers.map((layer) => layer.outcomes);
  expect(layers).toHaveLength(3);
  for (const outcomes of layers) expect(outcomes).toEqual({ 'node-a': 'downloaded', 'node-b': 'skipped' });
});

test('without an image the demo serves its own and counts what it sends', async () => {
  const { result, start, commands } = await demo({}, { image: undefined, bytesPerSecond: 1_000 });
  expect(start?.bytesPerSecond).toBe(1_000);
  expect(start?.reference).toMatch(/^127\.0\.0\.1:\d+\/layerpull\/demo:latest$/);
  expect(commands[1]?.join(' ')).toContain('--platform linux/amd64');
  expect(result).toMatchObject({ registry: { embedded: true, bytesPerSecond: 1_000 }, bytesFromRegistry: 0 });
});

test('a node that fails is named, with its error, its hint and what it wrote last', async () => {
  const error = { code: 'access_denied', message: 'app: access denied', hint: 'log in' };
  const { result, trouble, folder } = await demo({
    pull: (args, out, err) => {
      if (args.includes('node-a')) return undefined;
      err('something for people');
      out(JSON.stringify({ error }));
      return 4;
    },
  });
  expect(result).toMatchObject({
    code: 'access_denied',
    message: 'node-b: app: access denied',
    hint: 'log in',
  });
  expect(trouble).toEqual(['node-b: something for people']);
  expect(fs.existsSync(folder)).toBe(false);
});

test('a node that ends without a document is named with its exit code', async () => {
  const { result } = await demo({ pull: () => 1 });
  expect(result).toMatchObject({ code: 'unexpected', message: 'node-a: ended with exit code 1' });
});

test('a lock server that does not start is named', async () => {
  const { result, trouble, commands } = await demo({
    serve: (_args, _out, err) => {
      err('no room');
      return 1;
    },
  });
  expect(result).toMatchObject({ message: 'lock server: ended with exit code 1' });
  expect(trouble).toEqual(['lock server: no room']);
  expect(commands).toHaveLength(1);
});

test('a lock server that ends meanwhile ends the demo', async () => {
  let server: Child | undefined;
  const spawn: SpawnChild = ([command, ...args]) => {
    if (command === 'serve') {
      server = fakeChild(args, goodServer);
      return server;
    }
    server?.kill('SIGKILL');
    return fakeChild(args, () => undefined);
  };
  const { result } = await demo({}, { createSpawn: () => spawn });
  expect(result).toMatchObject({ message: 'lock server: was ended by SIGKILL' });
});

test('an abort stops everything and gives its reason', async () => {
  const abort = new AbortController();
  const { result, ends, trouble, folder } = await demo(
    {
      pull: (_args, _out, err) => {
        err('interrupted');
        queueMicrotask(() => abort.abort(new Error('Ctrl-C')));
        return undefined;
      },
    },
    { signal: abort.signal },
  );
  expect(result).toMatchObject({ message: 'Ctrl-C' });
  expect(ends).toHaveLength(3);
  expect(trouble).toEqual([]);
  expect(fs.existsSync(folder)).toBe(false);
});
