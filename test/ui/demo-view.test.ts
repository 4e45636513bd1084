import { expect, test } from 'vitest';
import { createDemoView } from '../../src/ui/demo-view.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { pullEvents } from '../support/pull-events.ts';

const start = {
  reference: '127.0.0.1:5000/layerpull/demo:latest',
  nodes: ['node-a', 'node-b'],
  bytesPerSecond: 12 * 1_048_576,
};

async function open(progress: 'auto' | 'plain' | 'none', json = false) {
  const written: string[] = [];
  const stream = { write: (text: string) => written.push(text) };
  const output = { json, progress, interactive: false, color: false };
  const view = await createDemoView(output, { stream, clock: createFakeClock() });
  return { view, lines: () => written.join('').trimEnd().split('\n') };
}

test('without a terminal it says how the registry is throttled, then a line per change', async () => {
  const { view, lines } = await open('auto');
  view.start(start);
  view.handle('node-a', pullEvents.resolved);
  view.close();
  expect(lines()).toEqual([
    'registry throttled to 12 MiB/s so that you can watch',
    '2 nodes pull 127.0.0.1:5000/layerpull/demo:latest',
    'node-a: docker.io/library/busybox:latest: resolved to sha256:aaaaaaaaaaaa, 3 blobs',
  ]);
});

test('a registry of others is not called throttled', async () => {
  const { view, lines } = await open('plain');
  view.start({ reference: 'busybox', nodes: ['node-a', 'node-b'] });
  expect(lines()).toEqual(['2 nodes pull busybox']);
});

test.each([['none', false] as const, ['auto', true] as const])(
  'with progress %s and json %s it shows trouble only',
  async (progress, json) => {
    const { view, lines } = await open(progress, json);
    view.start(start);
    view.handle('node-a', pullEvents.resolved);
    view.trouble('node-a', ['out of memory\u001b[2J', 'at line 1']);
    view.close();
    expect(lines()).toEqual(['node-a | out of memory [2J', 'node-a | at line 1']);
  },
);

test('trouble may come before the start', async () => {
  const { view, lines } = await open('auto');
  view.trouble('lock server', ['no room']);
  view.close();
  expect(lines()).toEqual(['lock server | no room']);
});
