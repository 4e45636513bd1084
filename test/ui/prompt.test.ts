import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { ask, askHidden, readSecret } from '../../src/ui/prompt.ts';

/** A keyboard that types nothing by itself. */
class FakeKeyboard extends EventEmitter {
  raw = false;
  flowing = false;
  setRawMode(raw: boolean) {
    this.raw = raw;
  }
  setEncoding() {}
  resume() {
    this.flowing = true;
  }
  pause() {
    this.flowing = false;
  }
  type(text: string) {
    this.emit('data', text);
  }
}

function createRig() {
  const input = new FakeKeyboard();
  const written: string[] = [];
  const abort = new AbortController();
  let interrupts = 0;
  const options = {
    input,
    output: { write: (text: string) => written.push(text) },
    interrupt: () => {
      interrupts += 1;
    },
    signal: abort.signal,
  };
  const listeners = () => input.listenerCount('data') + input.listenerCount('end');
  return { input, written, abort, options, interrupts: () => interrupts, listeners };
}

describe('a hidden line', () => {
  it.each([
    ['hunter2\r', 'hunter2'],
    ['hunter3\x7f2\n', 'hunter2'],
    ['x\x15hunter2\r', 'hunter2'],
    ['\x7f\b\r', ''],
    ['pä\x7fä\x1b\t\r', 'pä'],
    ['hunter2\x04', 'hunter2'],
  ])('typed as %j is %j, and is not echoed', async (keys, expected) => {
    const { input, written, options, listeners } = createRig();
    const line = askHidden('Password: ', options);
    expect(input.raw).toBe(true);
    input.type(keys.slice(0, 2));
    input.type(keys.slice(2));
    expect(await line).toBe(expected);
    expect(written).toEqual(['Password: ', '\n']);
    expect([input.raw, input.flowing, listeners()]).toEqual([false, false, 0]);
  });

  it('leaves the terminal as it was when it is interrupted', async () => {
    const { input, abort, options, interrupts, listeners } = createRig();
    const line = askHidden('Password: ', options);
    input.type('hun\x03');
    expect(interrupts()).toBe(1);
    abort.abort(new Error('interrupted'));
    await expect(line).rejects.toThrow('interrupted');
    expect([input.raw, listeners()]).toEqual([false, 0]);
  });

  it('ends with the input', async () => {
    const { input, options } = createRig();
    const line = askHidden('Password: ', options);
    input.type('hunter2');
    input.emit('end');
    expect(await line).toBe('hunter2');
  });
});

it('a line that everybody may see leaves the editing to the terminal', async () => {
  const { input, written, options } = createRig();
  const line = ask('User name: ', options);
  expect(input.raw).toBe(false);
  input.type('bob\n');
  expect(await line).toBe('bob');
  expect(written).toEqual(['User name: ']);
});

describe('a secret on stdin', () => {
  const { signal } = new AbortController();
  const from = async function* (...chunks: string[]) {
    for (const chunk of chunks) yield Buffer.from(chunk);
  };

  it.each([
    [['hun', 'ter2\n'], 'hunter2'],
    [['hunter2\r\n'], 'hunter2'],
    [['two\nlines\n\n'], 'two\nlines\n'],
    [[' blank '], ' blank '],
    [[], ''],
  ])('written as %j is %j', async (chunks, expected) => {
    expect(await readSecret(from(...chunks), signal)).toBe(expected);
  });

  it('is not read for ever', async () => {
    const endless = async function* () {
      for (;;) yield Buffer.alloc(10_000);
    };
    await expect(readSecret(endless(), signal)).rejects.toMatchObject({ code: 'usage' });
  });
});
