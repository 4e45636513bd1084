import { describe, expect, it } from 'vitest';
import { withTimeLimit } from '../../src/compose/time-limit.ts';
import { createFakeClock, settle } from '../support/fake-clock.ts';

const parent = new AbortController().signal;

/** Ends `cleanUpMs` after its signal aborted, with the reason. */
async function stubborn(clock: ReturnType<typeof createFakeClock>, signal: AbortSignal, cleanUpMs: number) {
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  await clock.sleep(cleanUpMs);
  throw signal.reason;
}

describe('a pull with a time limit', () => {
  it('fails with its own code, after it has cleaned up', async () => {
    const clock = createFakeClock();
    let over = false;
    const run = withTimeLimit(clock, 60_000, parent, (signal) => stubborn(clock, signal, 500));
    const checked = expect(run).rejects.toMatchObject({
      code: 'timed_out',
      exitCode: 5,
      message: 'the pull took longer than 60 s',
      hint: expect.stringContaining('--timeout'),
    });
    void run.catch(() => {
      over = true;
    });
    await clock.advance(60_000);
    expect(over).toBe(false);
    await clock.advance(500);
    await checked;
  });

  it('fails with the reason of its caller when that comes first', async () => {
    const clock = createFakeClock();
    const caller = new AbortController();
    const run = withTimeLimit(clock, 60_000, caller.signal, (signal) => stubborn(clock, signal, 0));
    const checked = expect(run).rejects.toThrow('interrupted');
    caller.abort(new Error('interrupted'));
    await settle();
    await clock.advance(0);
    await checked;
    expect(clock.pending()).toBe(0);
  });

  it('leaves no timer behind when it comes in time, and has none without a limit', async () => {
    const clock = createFakeClock();
    expect(await withTimeLimit(clock, 60_000, parent, async () => 'done')).toBe('done');
    expect(await withTimeLimit(clock, undefined, parent, async (signal) => signal)).toBe(parent);
    expect(clock.pending()).toBe(0);
  });
});
