import { existsSync } from 'node:fs';
import { patienceMs } from './patience.ts';
import { type Child, type Exit, spawnProcess } from './processes.ts';
import { inRoot } from './root.ts';
import { tempDir } from './temp.ts';
import { waitForChange } from './text-log.ts';

export interface CliOptions {
  /** Beside the cleaned environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** What it reads from stdin, which then ends. Default: nothing. */
  readonly input?: string;
  /** Program with its arguments that starts it. Default: none, it is started by itself. */
  readonly via?: readonly string[];
  /** Kills it. */
  readonly signal?: AbortSignal;
}

export interface CliResult extends Exit {
  readonly stdout: string;
  readonly stderr: string;
}

/** One object of `--progress json`. */
export interface JsonEvent extends Readonly<Record<string, unknown>> {
  readonly kind: string;
}

type EventMatch = (event: JsonEvent) => boolean;

export interface CliChild extends Child {
  /** @throws an error that shows stderr, when it ends without a match or after `timeoutMs` (60 s) */
  waitForStderr(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  /**
   * The next event of this kind (for which `matches` holds) on stderr after those that were answered before; asks for
   * `--progress json`.
   */
  nextJsonEvent(kind: string, matches?: EventMatch, timeoutMs?: number): Promise<JsonEvent>;
  /** All events so far. */
  jsonEvents(): JsonEvent[];
  /** Exit and output once it ended. */
  result(): Promise<CliResult>;
}

const program = inRoot('bin', 'run.js');

/** Runs the built `layerpull` to its end. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return (await spawnCli(args, options)).result();
}

/** Starts the built `layerpull`; it is killed at the end of the test if it still runs. */
export async function spawnCli(args: readonly string[], options: CliOptions = {}): Promise<CliChild> {
  const whole = [...(options.via ?? []), process.execPath, cliProgram(), ...args];
  const child = await spawnProcess(whole[0] ?? process.execPath, whole.slice(1), {
    env: cliEnv(options.env),
    cwd: options.cwd,
    signal: options.signal,
  });
  child.stdin.end(options.input ?? '');
  return toCliChild(child);
}

/** Path of the built program. @throws when it is not built */
export function cliProgram(): string {
  if (!existsSync(inRoot('dist', 'program', 'layerpull.cjs')))
    throw new Error('layerpull is not built: run node scripts/setup.js');
  return program;
}

/** Our environment without what would steer layerpull, and with folders of its own in place of the user's. */
export function cliEnv(extra: CliOptions['env'] = {}): NodeJS.ProcessEnv {
  const home = tempDir();
  const kept = Object.entries(process.env).filter(([name]) => !steersLayerpull.test(name));
  return {
    ...Object.fromEntries(kept),
    HOME: home,
    XDG_DATA_HOME: `${home}/data`,
    XDG_CONFIG_HOME: `${home}/config`,
    XDG_CACHE_HOME: `${home}/cache`,
    ...extra,
  };
}

const steersLayerpull =
  /^(LAYERPULL_.*|NODE_ID|LOCK_SERVER_URL|ALLOW_MULTI_NODE_DOWNLOAD|XDG_.*|DOCKER_CONFIG|CONTAINERS_REGISTRIES_CONF|REGISTRY_AUTH_FILE|NO_COLOR|FORCE_COLOR|CI|DEBUG|NODE_OPTIONS|NODE_ENV|VITEST.*|HTTPS?_PROXY|NO_PROXY|https?_proxy|no_proxy|SSL_CERT_FILE|NODE_EXTRA_CA_CERTS)$/;

function toCliChild(child: Child): CliChild {
  let answered = 0;
  const jsonEvents = () => child.stderr.lines().flatMap(parseEvent);
  const takeNext = (kind: string, matches: EventMatch) => {
    const events = jsonEvents();
    const index = events.findIndex((event, at) => at >= answered && event.kind === kind && matches(event));
    if (index < 0) return undefined;
    answered = index + 1;
    return events[index];
  };
  return {
    ...child,
    jsonEvents,
    waitForStderr: (pattern, timeoutMs) => child.stderr.waitFor(pattern, timeoutMs),
    nextJsonEvent: (kind, matches = () => true, timeoutMs = patienceMs) =>
      waitForChange(child.stderr, timeoutMs, `event ${kind}`, () => takeNext(kind, matches)),
    result: async () => ({
      ...(await child.exited),
      stdout: child.stdout.text(),
      stderr: child.stderr.text(),
    }),
  };
}

function parseEvent(line: string): JsonEvent[] {
  if (!line.startsWith('{')) return [];
  try {
    const value: unknown = JSON.parse(line);
    return isEvent(value) ? [value] : [];
  } catch {
    return [];
  }
}

function isEvent(value: unknown): value is JsonEvent {
  return typeof value === 'object' && value !== null && 'kind' in value && typeof value.kind === 'string';
}
