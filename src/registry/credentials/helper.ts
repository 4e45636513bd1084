import { spawn } from 'node:child_process';
import * as v from 'valibot';
import { withDeadline } from '../../core/abort.ts';
import type { Clock } from '../../core/clock.ts';
import { LayerpullError, messageOf, systemCodeOf } from '../../core/errors.ts';
import { readWhole } from '../../http/limits.ts';
import { oneLine } from '../failures.ts';
import type { Credential } from './credentials.ts';

/** What is kept for a server. */
export interface HelperSecret {
  readonly username: string;
  /** A password; with the user name `<token>` an identity token. */
  readonly secret: string;
}

/**
 * A program `docker-credential-NAME` that keeps credentials (github.com/docker/docker-credential-helpers): called with
 * the action, it reads a server or JSON on stdin and answers on stdout, an error with a status other than 0.
 *
 * Its methods throw LayerpullError `credentials_unusable`.
 */
export interface Helper {
  /** Undefined when it keeps nothing for the server. */
  get(server: string, signal: AbortSignal): Promise<Credential | undefined>;
  store(server: string, secret: HelperSecret, signal: AbortSignal): Promise<void>;
  /** Answers false when it kept nothing for the server. */
  erase(server: string, signal: AbortSignal): Promise<boolean>;
}

export interface HelperOptions {
  /** The environment of the program; it is looked for on the `PATH` there. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
}

export const tokenUser = '<token>';

/** Long, because some ask their owner on the screen. */
const answerWithinMs = 60_000;
const maxAnswerBytes = 65_536;

const answerSchema = v.object({ Username: v.nullish(v.string(), ''), Secret: v.nullish(v.string(), '') });

export function createHelper(name: string, options: HelperOptions): Helper {
  const program = `docker-credential-${name}`;
  const call = async (action: Action, input: string, signal: AbortSignal) => {
    if (!/^[A-Za-z0-9][\w.-]{0,63}$/.test(name)) throw failure(`the name ${JSON.stringify(name)} is no name`);
    const late = () => failure(`${program} did not answer within ${answerWithinMs / 1_000} s`);
    return await withDeadline(options.clock, answerWithinMs, signal, late, (within) =>
      run(program, action, input, options.env, within),
    );
  };
  return {
    async get(server, signal) {
      const { code, output } = await call('get', server, signal);
      if (code === 0) return readAnswer(program, output);
      if (isNotFound(output)) return undefined;
      throw refused(program, 'get', output);
    },
    async store(server, { username, secret }, signal) {
      const input = JSON.stringify({ ServerURL: server, Username: username, Secret: secret });
      const { code, output } = await call('store', input, signal);
      if (code !== 0) throw refused(program, 'store', output);
    },
    async erase(server, signal) {
      const { code, output } = await call('erase', server, signal);
      if (code === 0) return true;
      if (isNotFound(output)) return false;
      throw refused(program, 'erase', output);
    },
  };
}

type Action = 'get' | 'store' | 'erase';

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Runs the program once. Its stderr is dropped: it belongs to nobody's protocol. */
async function run(
  program: string,
  action: Action,
  input: string,
  env: HelperOptions['env'],
  signal: AbortSignal,
): Promise<Ended> {
  const child = spawn(program, [action], {
    env,
    stdio: ['pipe', 'pipe', 'ignore'],
    signal,
    killSignal: 'SIGKILL',
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', (error) => reject(notStarted(program, error)));
    child.once('exit', resolve);
  });
  // It may answer without reading.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  try {
    const tooLong = () => failure(`${program} answered with more than ${maxAnswerBytes} bytes`);
    const reading = readWhole(child.stdout, maxAnswerBytes, tooLong);
    const [output, code] = await Promise.all([reading, ended]);
    return { code, output: output.toString() };
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    // After a failure a child of it may still hold its output open.
    child.stdout.destroy();
    child.kill('SIGKILL');
  }
}

function readAnswer(program: string, output: string): Credential | undefined {
  const parsed = v.safeParse(answerSchema, parseJson(output));
  if (!parsed.success)
    throw failure(`${program} answered with something that is no JSON object of credentials`);
  const { Username: username, Secret: secret } = parsed.output;
  if (username === '' && secret === '') return undefined;
  if (username === tokenUser) return { kind: 'identity', username: '', token: secret, from: program };
  return { kind: 'password', username, password: secret, from: program };
}

function parseJson(output: string): unknown {
  try {
    return JSON.parse(output);
  } catch {
    return undefined;
  }
}

/** The sentence by which every helper says so. */
function isNotFound(output: string): boolean {
  return /^credentials not found\b/i.test(output.trim());
}

/** What it printed is its reason, unless it has the form of an answer, which holds a secret. */
function refused(program: string, action: Action, output: string): LayerpullError {
  const said = /[{}]/.test(output) ? '' : oneLine(output);
  return failure(`${program} ${action} failed${said === '' ? '' : `: ${said}`}`);
}

function notStarted(program: string, error: unknown): LayerpullError {
  const problem = systemCodeOf(error) === 'ENOENT' ? 'is not on the PATH' : `cannot run: ${messageOf(error)}`;
  return failure(`${program} ${problem}`, error);
}

function failure(problem: string, cause?: unknown): LayerpullError {
  return new LayerpullError('credentials_unusable', `credential helper: ${problem}`, {
    hint: 'repair it, or take it out of credsStore and credHelpers',
    origin: 'user',
    cause,
  });
}
