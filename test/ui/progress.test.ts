import { describe, expect, it } from 'vitest';
import { toNodeId } from '../../src/core/ids.ts';
import { chooseView, createProgress } from '../../src/ui/create-progress.ts';
import { plainLine } from '../../src/ui/progress-plain.ts';
import type { ProgressOptions } from '../../src/ui/progress-view.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { pullEvents } from '../support/pull-events.ts';

function record(extra: Partial<ProgressOptions> = {}) {
  const written: string[] = [];
  const stream = { write: (text: string) => written.push(text) };
  const options = { stream, clock: createFakeClock(0), color: false, warnings: true, ...extra };
  return { written, options, text: () => written.join('') };
}

const modes = { interactive: false, json: false };
const events = Object.values(pullEvents);

describe('the choice of a view', () => {
  it.each([
    ['auto', true, false, true, 'tty'],
    ['auto', true, true, true, 'tty'],
    ['auto', false, false, true, 'plain'],
    ['auto', false, true, false, 'none'],
    ['auto', false, false, false, 'plain'],
    ['tty', false, false, true, 'tty'],
    ['tty', false, false, false, 'plain'],
    ['json', true, false, true, 'json'],
    ['none', true, false, true, 'none'],
  ] as const)(
    'mode %s, interactive %s, json %s, terminal %s: %s',
    (mode, interactive, json, terminal, view) => {
      expect(chooseView({ mode, interactive, json }, terminal)).toBe(view);
    },
  );
});

describe('plain progress', () => {
  it('has a line for each change', async () => {
    const { options, text } = record();
    const view = await createProgress({ mode: 'plain', ...modes }, options);
    for (const event of events) view.handle(event);
    expect(text().trimEnd().split('\n')).toEqual([
      'docker.io/library/busybox:latest: resolved to sha256:aaaaaaaaaaaa, 3 blobs',
      'sha256:222222222222: waiting for node-b at position 2',
      'sha256:111111111111: downloading 4 MiB from http://127.0.0.1:5000',
      'sha256:111111111111: retrying: connection reset',
      'sha256:111111111111: going on at 2 MiB from http://127.0.0.1:5001 (127.0.0.1:5000 fell silent)',
      'sha256:111111111111: verified (2 MiB from the registry, 2 MiB from peers)',
      'sha256:111111111111: failed: the registry answered 500',
      'warning: cannot reach the lock server (start it with layerpull serve)',
      'docker.io/library/busybox:latest: 2 layers and the config: 2 downloaded (4 MiB from registry), 1 skipped; 1.3 s',
    ]);
  });

  it('says once that the image is being written elsewhere', () => {
    const begins = { ...pullEvents.exporting, offset: 0 };
    expect(plainLine(begins, false)).toBe('writing /tmp/busybox.tar');
    expect(plainLine({ ...begins, path: '-' }, false)).toBe('writing stdout');
    expect(plainLine(pullEvents.exporting, false)).toBeUndefined();
  });

  it('says where a download goes on', () => {
    const line = plainLine({ ...pullEvents.downloading, offset: 1_048_576 }, false);
    expect(line).toBe('sha256:111111111111: downloading 4 MiB from http://127.0.0.1:5000, going on at 1 MiB');
  });

  it('names the node that a layer is copied from', () => {
    const source = { kind: 'peer', url: 'http://10.0.0.2:7041', node: toNodeId('node-b') } as const;
    const lines = [
      plainLine({ ...pullEvents.downloading, source }, false),
      plainLine({ ...pullEvents.switched, source }, false),
      plainLine({ ...pullEvents.finished, outcome: 'copied', source }, false),
    ];
    expect(lines).toEqual([
      'sha256:111111111111: copying 4 MiB from node-b',
      'sha256:111111111111: going on at 2 MiB from node-b (127.0.0.1:5000 fell silent)',
      'sha256:111111111111: verified (4 MiB copied from node-b)',
    ]);
  });

  it('names the registry alone for a layer of which peers gave nothing', () => {
    const finished = { ...pullEvents.finished, bytesFromPeers: 0 };
    expect(plainLine(finished, false)).toBe('sha256:111111111111: verified (4 MiB from the registry)');
  });

  it('says nothing once it is closed', async () => {
    const { options, written } = record();
    const view = await createProgress({ mode: 'plain', ...modes }, options);
    view.close();
    view.close();
    view.handle(pullEvents.resolved);
    expect(written).toEqual([]);
  });
});

describe('JSON progress', () => {
  it('writes one object per line', async () => {
    const { options, text } = record();
    const view = await createProgress({ mode: 'json', ...modes }, options);
    for (const event of events) view.handle(event);
    const lines = text().trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).kind)).toEqual(events.map(({ kind }) => kind));
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      time: '1970-01-01T00:00:00.000Z',
      platform: 'linux/amd64',
    });
  });
});

describe('warnings', () => {
  it.each(['plain', 'json', 'none'] as const)('come once in mode %s', async (mode) => {
    const { options, text } = record();
    const view = await createProgress({ mode, ...modes }, options);
    view.handle(pullEvents.warning);
    view.handle(pullEvents.warning);
    view.handle({ ...pullEvents.warning, message: 'something else' });
    expect(text().match(/cannot reach the lock server/g)).toHaveLength(1);
    expect(text()).toContain('something else');
  });

  it.each(['plain', 'none'] as const)('are left out of mode %s when unwanted', async (mode) => {
    const { options, text } = record({ warnings: false });
    const view = await createProgress({ mode, ...modes }, options);
    view.handle(pullEvents.warning);
    expect(text()).toBe('');
  });
});

describe('progress on a terminal', () => {
  function terminal(columns: number, rows: number) {
    const written: string[] = [];
    const write = (text: string) => {
      written.push(text);
      return true;
    };
    const still = () => true;
    const stream = {
      write,
      isTTY: true,
      columns,
      rows,
      cursorTo: still,
      moveCursor: still,
      clearLine: still,
    };
    return { written, stream: Object.assign(stream, { once: still, removeListener: still }) };
  }

  it('is plain lines where the terminal does not know how wide it is', async () => {
    const show = async (mode: 'tty' | 'plain', columns: number) => {
      const { stream, written } = terminal(columns, 0);
      const options = { stream, clock: createFakeClock(0), color: false, warnings: true };
      const view = await createProgress({ mode, ...modes }, options);
      for (const event of events) view.handle(event);
      view.close();
      return written;
    };
    expect(await show('tty', 0)).toEqual(await show('plain', 80));
  });

  it('draws the frame, and leaves it with the summary and a visible cursor', async () => {
    const { stream, written } = terminal(100, 24);
    const clock = createFakeClock(0);
    const options = { stream, clock, color: false, warnings: true };
    const view = await createProgress({ mode: 'tty', ...modes }, options);
    view.handle(pullEvents.resolved);
    view.handle(pullEvents.finished);
    view.handle(pullEvents.warning);
    view.handle(pullEvents.done);
    view.close();
    view.close();
    const text = written.join('');
    expect(text).toContain('warning: cannot reach the lock server (start it with layerpull serve)\n');
    expect(text).toContain('✔ docker.io/library/busybox:latest (linux/amd64) 1/3\n');
    expect(text).toContain('  sha256:111111111111  verified (2 MiB from the registry, 2 MiB from peers)\n');
    expect(text.endsWith('1.3 s\n')).toBe(true);
    expect(text.lastIndexOf('\u001b[?25h')).toBeGreaterThan(text.lastIndexOf('\u001b[?25l'));
    expect(clock.pending()).toBe(0);
  });

  it('leaves nothing behind when the image was never found', async () => {
    const { stream, written } = terminal(100, 24);
    const options = { stream, clock: createFakeClock(0), color: false, warnings: true };
    const view = await createProgress({ mode: 'tty', ...modes }, options);
    view.close();
    expect(written.at(-1)).not.toContain('\n');
  });
});
