import { type Digest, digestOf } from '../../src/core/digest.ts';
import { cliEnv } from './cli.ts';
import { createLineReader, type LineReader } from './json-lines.ts';
import type { LockClientOptions, LockCommand, LockLine, LockLineOf } from './lock-client-lines.ts';
import { type Child, spawnProcess } from './processes.ts';
import { testProgram } from './test-program.ts';

/** A node in a process of its own. */
export interface LockClient {
  readonly child: Child;
  readonly nodeId: string;
  readonly sessionId: string;
  send(command: LockCommand): void;
  /** The first line of one of these kinds after those that were answered before. */
  readonly next: LineReader<LockLine>['next'];
  /** Asks, and answers with the token once granted. */
  hold(resource: Digest): Promise<number>;
  /** Asks, and answers with the place in the queue. */
  queue(resource: Digest): Promise<number>;
  /** The token of the grant that it waits for. */
  granted(): Promise<number>;
  release(resource: Digest, error?: string): Promise<void>;
  /** All it said so far. */
  lines(): readonly LockLine[];
}

export interface LockClientStart extends LockClientOptions {
  /** Modules that the process loads first. */
  readonly imports?: readonly string[];
}

/** Starts a node; it is killed at the end of the test if it still runs. */
export async function startLockClient({ imports = [], ...options }: LockClientStart): Promise<LockClient> {
  const program = await testProgram('lock-client');
  const args = [...imports.flatMap((file) => ['--import', file]), program, JSON.stringify(options)];
  const child = await spawnProcess(process.execPath, args, { env: cliEnv() });
  const { next, lines } = createLineReader<LockLine>(child.stdout);
  const { sessionId } = await next('ready');
  const send = (command: LockCommand) => void child.stdin.write(`${JSON.stringify(command)}\n`);
  const granted = async () => tokenOf(await next('granted'));
  return {
    ...{ child, nodeId: options.nodeId, sessionId, send, next, lines, granted },
    hold: (resource) => {
      send({ do: 'acquire', resource });
      return granted();
    },
    queue: async (resource) => {
      send({ do: 'acquire', resource });
      return (await next('queued')).position;
    },
    release: async (resource, error) => {
      send({ do: 'release', resource, ...(error === undefined ? {} : { error }) });
      await next('released');
    },
  };
}

function tokenOf({ token }: LockLineOf<'granted'>): number {
  if (token === undefined) throw new Error('the client goes on without the lock server');
  return token;
}

/** A digest of its own for each name. */
export function resourceNamed(name: string): Digest {
  return digestOf(Buffer.from(name));
}
