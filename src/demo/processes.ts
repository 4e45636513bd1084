import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import * as v from 'valibot';
import { withDeadline } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import { type ErrorCode, errorTable, LayerpullError } from '../core/errors.ts';
import type { ChildEnd, SpawnChild } from './children.ts';
import { type NodeEvent, outcome, parseEventLine, parseJson } from './events.ts';

/** The demo decides all of it itself. */
const noConfigFile = ['--config', ''];

const layerResult = v.object({
  digest: v.string(),
  size: v.number(),
  mediaType: v.string(),
  outcome,
  bytes: v.number(),
});

const pullDocument = v.object({
  reference: v.string(),
  digest: v.string(),
  layers: v.array(layerResult),
  bytesFromRegistry: v.number(),
});

const errorDocument = v.object({
  error: v.object({ code: v.string(), message: v.string(), hint: v.nullish(v.string()) }),
});

/** What the demo takes from the document of `pull --json`. */
export type PullDocument = v.InferOutput<typeof pullDocument>;

/** Hears what a process that failed wrote last, for people: at most ten lines. */
export type TroubleListener = (name: string, lastLines: readonly string[]) => void;

export interface ProcessOptions {
  readonly spawn: SpawnChild;
  readonly onTrouble: TroubleListener;
}

export interface LockServer {
  readonly url: string;
  /** Rejects if it ends. */
  died(): Promise<never>;
}

/** Milliseconds a lock server may take to listen; a busy machine starts programs slowly. */
const startTimeoutMs = 20_000;
const maxStdoutCharacters = 4 * 1_048_576;
const keptLines = 10;
const lockServer = 'lock server';

/** Starts `layerpull serve` on a free port of loopback. @throws LayerpullError when it does not listen */
export async function startLockServer(
  options: ProcessOptions & { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<LockServer> {
  const args = ['serve', '--ephemeral', '--addr', '127.0.0.1:0', '--log-level', 'warn', ...noConfigFile];
  const child = options.spawn(args);
  const lastLines = keepLastLines(child.stderr);
  const late = () => new LayerpullError('unexpected', 'the lock server of the demo does not start');
  const died = async (): Promise<never> => {
    const end = await child.ended;
    if (lastLines.length > 0) options.onTrouble(lockServer, lastLines);
    throw new LayerpullError('unexpected', `${lockServer}: ${describeEnd(end)}`);
  };
  const url = await withDeadline(options.clock, startTimeoutMs, options.signal, late, () =>
    firstLine(child.stdout),
  );
  return url === undefined ? died() : { url, died };
}

export interface PullOnOptions extends ProcessOptions {
  readonly node: string;
  /** Arguments of `layerpull pull`, without those for the node and the output. */
  readonly args: readonly string[];
  readonly onEvent: (event: NodeEvent) => void;
}

/** Runs one `layerpull pull` to its end. @throws LayerpullError with the node's error */
export async function pullOn(options: PullOnOptions): Promise<PullDocument> {
  const { node, args, spawn, onEvent, onTrouble } = options;
  const child = spawn(['pull', ...args, '--node', node, '--progress', 'json', '--json', ...noConfigFile]);
  const [stdout, lastLines, end] = await Promise.all([
    readText(child.stdout),
    readEvents(child.stderr, onEvent),
    child.ended,
  ]);
  const document = v.safeParse(pullDocument, parseJson(stdout));
  if (end.kind === 'exit' && end.code === 0 && document.success) return document.output;
  if (lastLines.length > 0) onTrouble(node, lastLines);
  throw failureOf(node, stdout, end);
}

/** Passes events on; resolves at the end with the last lines that were none. */
async function readEvents(stream: Readable, onEvent: (event: NodeEvent) => void): Promise<string[]> {
  const lastLines: string[] = [];
  for await (const line of createInterface({ input: stream })) {
    const event = parseEventLine(line);
    if (event === undefined) keep(lastLines, line);
    else if (event !== 'other') onEvent(event);
  }
  return lastLines;
}

function keepLastLines(stream: Readable): string[] {
  const lastLines: string[] = [];
  createInterface({ input: stream }).on('line', (line) => keep(lastLines, line));
  return lastLines;
}

function keep(lines: string[], line: string): void {
  lines.push(line.slice(0, 500));
  if (lines.length > keptLines) lines.shift();
}

/** Undefined when the stream ends before. What comes later is dropped, so that the writer never blocks. */
function firstLine(stream: Readable): Promise<string | undefined> {
  return new Promise((resolve) => {
    const lines = createInterface({ input: stream });
    lines.once('line', resolve);
    lines.once('close', () => resolve(undefined));
  });
}

async function readText(stream: Readable): Promise<string> {
  let text = '';
  stream.setEncoding('utf8');
  for await (const piece of stream) {
    if (text.length < maxStdoutCharacters) text += piece;
  }
  return text;
}

function failureOf(name: string, stdout: string, end: ChildEnd): LayerpullError {
  const document = v.safeParse(errorDocument, parseJson(stdout));
  if (!document.success) return new LayerpullError('unexpected', `${name}: ${describeEnd(end)}`);
  const { code, message, hint } = document.output.error;
  return new LayerpullError(
    isErrorCode(code) ? code : 'unexpected',
    `${name}: ${message}`,
    hint ? { hint } : {},
  );
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorTable, code);
}

function describeEnd(end: ChildEnd): string {
  switch (end.kind) {
    case 'exit':
      return `ended with exit code ${end.code}`;
    case 'signal':
      return `was ended by ${end.signal}`;
    case 'never-started':
      return `could not be started: ${end.message}`;
  }
}
