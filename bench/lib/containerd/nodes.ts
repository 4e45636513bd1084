import { rmSync } from 'node:fs';
import path from 'node:path';
import { cliEnv, cliProgram } from '../../../test/support/cli.ts';
import { requireComponent } from '../../../test/support/component-list.ts';
import { startContainerd, type TestContainerd } from '../../../test/support/containerd.ts';
import { spawnProcess } from '../../../test/support/processes.ts';
import { tempDir } from '../../../test/support/temp.ts';
import { cpuMs, peakBytes } from '../locks/process-usage.ts';
import type { Command } from '../measure.ts';

export const storeNames = ['own', 'plugin'] as const;

/** Where a containerd has its content: in its own store, or with layerpull. */
export type StoreName = (typeof storeNames)[number];

export interface BenchNodeOptions {
  /** Of a lock server for the plugin. */
  readonly serverUrl: string | undefined;
  readonly profileDir: string | undefined;
}

/** A containerd with nothing in it. */
export interface BenchNode {
  ctr(...args: readonly string[]): Command;
  /** Milliseconds of processor time that containerd and its plugin used so far. */
  cpuMs(): number;
  /** The most resident memory that the plugin had; undefined for a containerd without one. */
  peakBytes(): number | undefined;
  /** Ends it, and removes all that it has. */
  remove(): Promise<void>;
}

/** Starts one with folders of its own. */
export async function startBenchNode(store: StoreName, options: BenchNodeOptions): Promise<BenchNode> {
  const plugin = store === 'plugin' ? await startPlugin(options) : undefined;
  const containerd = await startContainerd({ contentSocket: plugin?.socket });
  const pids = [containerd.pid, ...(plugin ? [plugin.pid] : [])];
  return {
    ctr: (...args) => ctrCommand(containerd, args),
    cpuMs: () => pids.reduce((sum, pid) => sum + cpuMs(pid), 0),
    peakBytes: () => plugin && peakBytes(plugin.pid),
    async remove() {
      await containerd.stop();
      await plugin?.stop();
      rmSync(path.dirname(containerd.socket), { recursive: true, force: true });
    },
  };
}

async function startPlugin({ serverUrl, profileDir }: BenchNodeOptions) {
  const dir = tempDir();
  const socket = path.join(dir, 's');
  const profile = profileDir === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profileDir];
  const words = ['--socket', socket, '--store', path.join(dir, 'store'), '--log-level', 'warn'];
  const locks = serverUrl === undefined ? [] : ['--server', serverUrl, '--peer-addr', '127.0.0.1:0'];
  const args = [...profile, cliProgram(), 'content-plugin', ...words, ...locks];
  const child = await spawnProcess(process.execPath, args, { env: cliEnv() });
  await child.stdout.waitFor(/.+\n/);
  const stop = async () => {
    child.kill('SIGTERM');
    await child.exited;
    rmSync(dir, { recursive: true, force: true });
  };
  return { socket, pid: child.pid, stop };
}

function ctrCommand({ socket }: TestContainerd, args: readonly string[]): Command {
  const { path: containerd, env } = requireComponent('containerd');
  const program = path.join(path.dirname(containerd), 'ctr');
  return { program, args: ['--address', socket, ...args], env: { ...process.env, ...env } };
}
