import { describe, expect, it } from 'vitest';
import { type ContainerdWatch, watchContainerd } from '../../src/compose/containerd-watch.ts';
import type { Daemon } from '../../src/containerd/probe.ts';
import type { Log } from '../../src/core/log.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { soon } from '../support/soon.ts';

type Answer = Awaited<ReturnType<NonNullable<ContainerdWatch['probe']>>>;

const down: Answer = { problem: { kind: 'deaf', reason: 'nobody listens there' } };
const daemon = (address: string): Daemon => ({
  version: '1.7.2',
  contentPlugins: [
    { type: 'io.containerd.content.v1', id: 'layerpull', exports: { address }, initErr: null },
  ],
});

function watching(answers: readonly Answer[]) {
  const clock = createFakeClock();
  const lines: string[] = [];
  const note = (level: string) => (_: object, message: string) => void lines.push(`${level}: ${message}`);
  const log: Log = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };
  let asked = 0;
  const probe = async () => answers[Math.min(asked++, answers.length - 1)] ?? down;
  const watch = watchContainerd({ socket: '/run/c.sock', contentSocket: '/run/x.sock', clock, log, probe });
  const ask = async (times: number) => {
    while (asked < times) {
      const before = asked;
      await clock.advance(10_000);
      await soon(async () => expect(asked).toBeGreaterThan(before));
    }
  };
  return { watch, lines, ask, asked: () => asked };
}

describe('the watch over containerd', () => {
  it('tells once that it is down, and then that it has its content here', async () => {
    const { watch, lines, ask } = watching([down, down, daemon('/run/x.sock')]);
    await ask(5);
    await watch.close();
    expect(lines).toEqual([
      'info: containerd does not answer: nobody listens there',
      'info: containerd 1.7.2 has its content here',
    ]);
  });

  it('warns of one that has its content elsewhere, and takes that back', async () => {
    const { watch, lines, ask } = watching([
      daemon('/run/old.sock'),
      daemon('/run/old.sock'),
      daemon('/run/x.sock'),
    ]);
    await ask(4);
    await watch.close();
    expect(lines).toEqual([
      'warn: the containerd that runs has another content store: layerpull (/run/old.sock)',
      'info: containerd 1.7.2 has its content here',
    ]);
  });

  it('asks no more once it is closed', async () => {
    const { watch, ask, asked } = watching([down]);
    await ask(1);
    await watch.close();
    const before = asked();
    await watch.close();
    expect(asked()).toBe(before);
  });
});
