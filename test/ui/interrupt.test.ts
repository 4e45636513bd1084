import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { listenForSignals } from '../../src/ui/interrupt.ts';
import { createFakeClock } from '../support/fake-clock.ts';

function listen() {
  const source = new EventEmitter();
  const clock = createFakeClock();
  const exits: number[] = [];
  let announced = 0;
  const announce = () => {
    announced += 1;
  };
  const exit = (code: number) => void exits.push(code);
  const interrupt = listenForSignals({ source, clock, announce, exit });
  return { source, clock, exits, interrupt, announced: () => announced };
}

describe('signals', () => {
  it.each([
    ['SIGINT', 'interrupted', 130],
    ['SIGTERM', 'terminated', 143],
    ['SIGHUP', 'terminated', 143],
  ] as const)('%s aborts with %s and exit code %s', (name, code, exitCode) => {
    const { source, interrupt, announced, exits } = listen();
    source.emit(name, name);
    expect(interrupt.signal.reason).toMatchObject({ code, exitCode });
    expect(interrupt.reason()).toBe(interrupt.signal.reason);
    expect([announced(), exits]).toEqual([1, []]);
  });

  it('SIGHUP does what a command says it does, and ends it again when that is over', () => {
    const { source, interrupt } = listen();
    let hangups = 0;
    interrupt.onHangup(() => {
      hangups += 1;
    });
    source.emit('SIGHUP', 'SIGHUP');
    source.emit('SIGHUP', 'SIGHUP');
    expect([hangups, interrupt.signal.aborted]).toEqual([2, false]);
    interrupt.onHangup(undefined);
    source.emit('SIGHUP', 'SIGHUP');
    expect([hangups, interrupt.signal.aborted]).toEqual([2, true]);
  });

  it('end the process at once when they come twice, with the exit code of the first', () => {
    const { source, exits, announced } = listen();
    source.emit('SIGTERM', 'SIGTERM');
    source.emit('SIGINT', 'SIGINT');
    expect([exits, announced()]).toEqual([[143], 1]);
  });

  it('end the process when the orderly end takes too long', async () => {
    const { source, clock, exits } = listen();
    source.emit('SIGINT', 'SIGINT');
    await clock.advance(1_799);
    expect(exits).toEqual([]);
    await clock.advance(1);
    expect(exits).toEqual([130]);
  });

  it('leave more time to what asked for it before', async () => {
    const { source, clock, exits, interrupt } = listen();
    interrupt.allow(20_000);
    source.emit('SIGTERM', 'SIGTERM');
    await clock.advance(19_999);
    expect(exits).toEqual([]);
    await clock.advance(1);
    expect(exits).toEqual([143]);
  });

  it('are left alone once the work is done', async () => {
    const { source, clock, exits, interrupt } = listen();
    source.emit('SIGINT', 'SIGINT');
    interrupt.dispose();
    interrupt.dispose();
    await clock.advance(10_000);
    expect(exits).toEqual([]);
    expect([source.eventNames(), clock.pending()]).toEqual([[], 0]);
  });
});
