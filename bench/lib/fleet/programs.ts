import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { cliEnv, cliProgram } from '../../../test/support/cli.ts';
import { requireComponent } from '../../../test/support/component-list.ts';
import type { NetworkHost } from '../../../test/support/netns.ts';
import { type Child, spawnProcess } from '../../../test/support/processes.ts';

/** Enough to say why something failed. */
const maxLogChars = 262_144;

/** Starts the built layerpull on a host. */
export async function startLayerpull(host: NetworkHost, ...args: string[]): Promise<Child> {
  return await start(host, [process.execPath, cliProgram(), ...args], cliEnv());
}

/** Starts a program of bench/fleet, which the bench has bundled beside itself. */
export async function startOwnProgram(host: NetworkHost, name: string, ...args: string[]): Promise<Child> {
  const file = path.join(path.dirname(fileURLToPath(import.meta.url)), 'fleet', `${name}.mjs`);
  return await start(host, [process.execPath, file, ...args], cliEnv());
}

/** Starts a component on a host. */
export async function startComponent(
  host: NetworkHost,
  name: 'skopeo' | 'docker-registry',
  ...args: string[]
): Promise<Child> {
  const { path: program, env } = requireComponent(name);
  return await start(host, [program, ...args], { ...cliEnv(), ...env });
}

/** Waits for what a server prints once it listens. @throws with what it said instead */
export async function urlOf(server: Child): Promise<string> {
  const [url] = await server.stdout.waitFor(/http:\/\/[\w.:]+/).catch((error) => {
    throw new Error(`${String(error).split('\n')[0]} ${server.stderr.text().slice(-1_000).trim()}`);
  });
  return url;
}

async function start(host: NetworkHost, command: readonly string[], env: NodeJS.ProcessEnv): Promise<Child> {
  const [program = '', ...args] = [...host.via, ...command];
  const child = await spawnProcess(program, args, { env, maxLogChars });
  child.stdin.end();
  return child;
}
