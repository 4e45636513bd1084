import { abortable, deferred } from '../core/abort.ts';
import { LayerpullError } from '../core/errors.ts';

/** The keyboard and the screen of whoever sits there. */
export interface Keyboard {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
  setEncoding(encoding: 'utf8'): unknown;
  on(event: 'data', listener: (text: string) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  off(event: 'data', listener: (text: string) => void): unknown;
  off(event: 'end', listener: () => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

export interface PromptOptions {
  readonly input: Keyboard;
  readonly output: { write(text: string): unknown };
  /** Called for Ctrl-C, which is a key like another while what is typed is hidden. */
  readonly interrupt: () => void;
  readonly signal: AbortSignal;
}

/** Asks for a line that everybody may see. */
export async function ask(question: string, options: PromptOptions): Promise<string> {
  return await readLine(question, options, false);
}

/** Asks for a line that nobody may see. */
export async function askHidden(question: string, options: PromptOptions): Promise<string> {
  const { input, output } = options;
  input.setRawMode?.(true);
  try {
    return await readLine(question, options, true);
  } finally {
    input.setRawMode?.(false);
    output.write('\n');
  }
}

async function readLine(question: string, options: PromptOptions, raw: boolean): Promise<string> {
  const { input, output, interrupt, signal } = options;
  const line = deferred<string>();
  let text = '';
  const end = () => line.resolve(text);
  const press = (key: string) => {
    if (key === '\r' || key === '\n') return end();
    if (!raw) text += key;
    else if (key === keys.interrupt) interrupt();
    else if (key === keys.end) end();
    else text = edited(text, key);
  };
  const hear = (typed: string) => {
    for (const key of typed) press(key);
  };
  input.setEncoding('utf8');
  input.on('data', hear);
  input.on('end', end);
  output.write(question);
  input.resume();
  try {
    return await abortable(line.promise, signal);
  } finally {
    input.off('data', hear);
    input.off('end', end);
    input.pause();
  }
}

const keys = { interrupt: '\x03', end: '\x04', erase: '\x7f', backspace: '\b', eraseLine: '\x15' } as const;

/** What a terminal does by itself where it is not raw. */
function edited(text: string, key: string): string {
  if (key === keys.erase || key === keys.backspace) return [...text].slice(0, -1).join('');
  if (key === keys.eraseLine) return '';
  return key < ' ' ? text : text + key;
}

const maxSecretBytes = 65_536;

/** All that comes, without the end of its last line. @throws LayerpullError `usage` when it is too long for a secret */
export async function readSecret(input: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<string> {
  return (await abortable(readAll(input), signal)).replace(/\r?\n$/, '');
}

async function readAll(input: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of input) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > maxSecretBytes) {
      throw new LayerpullError('usage', `stdin has more than ${maxSecretBytes} bytes`, {
        hint: 'give the password alone',
      });
    }
  }
  return Buffer.concat(chunks).toString();
}
