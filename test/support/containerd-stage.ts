import { rmSync } from 'node:fs';
import path from 'node:path';
import { startContainerd, type TestContainerd } from './containerd.ts';
import { type ContentPluginArgs, startContentPlugin, type TestContentPlugin } from './content-plugin.ts';
import { keepOutput } from './kept-output.ts';
import { type LockServerStart, type RunningLockServer, startLockServer } from './lock-servers.ts';
import { type LogLines, logLines } from './log-lines.ts';
import { patientAgent, patientServer } from './patient.ts';
import { inRoot } from './root.ts';
import { type Story, startStory } from './story.ts';
import { tempDir } from './temp.ts';

/** A node whose containerd has its content from a plugin. */
export interface StageNode {
  readonly name: string;
  readonly store: string;
  readonly containerd: TestContainerd;
  /** The one that runs now. */
  plugin(): TestContentPlugin;
  /** Ends the plugin, and starts another on the same socket, with these changes. */
  restartPlugin(changes?: Partial<ContentPluginArgs>): Promise<void>;
}

export interface NodeOptions extends Partial<Omit<ContentPluginArgs, 'node'>> {}

/** A lock server and containerds with plugins. What each process says is in a file of one folder. */
export interface Stage {
  readonly logsDir: string;
  readonly server: RunningLockServer;
  readonly serverLog: LogLines;
  readonly story: Story;
  /** Adds a node. Default: with a store of its own. */
  addNode(name: string, options?: NodeOptions): Promise<StageNode>;
}

/** Nobody of it is left for being slow. @param title says in which folder the logs are */
export async function openStage(title: string, start: LockServerStart = {}): Promise<Stage> {
  const logsDir = inRoot('.cache', 'containerd-logs', title.replaceAll(/[^a-z0-9]+/gi, '-'));
  rmSync(logsDir, { recursive: true, force: true });
  const server = await startLockServer({ ttlMs: 15_000, more: patientServer, ...start });
  keepOutput(server.child.stderr, path.join(logsDir, 'lock-server.log'));
  const story = startStory(title, logsDir);
  return {
    ...{ logsDir, server, story, serverLog: logLines(server.child.stderr) },
    addNode: (name, options = {}) => addNode(name, { server: server.url, ...options }, logsDir),
  };
}

async function addNode(name: string, options: NodeOptions, logsDir: string): Promise<StageNode> {
  const logOf = (what: string) => path.join(logsDir, `${name}-${what}.log`);
  const { store = path.join(tempDir(), 'store'), via } = options;
  const socket = options.socket ?? path.join(tempDir(), 'content.sock');
  const more = [...patientAgent, ...(options.more ?? [])];
  const args = { ...options, more, node: name, store, socket, logFile: logOf('plugin') };
  let plugin = await startContentPlugin(args);
  const containerd = await startContainerd({ contentSocket: socket, via, logFile: logOf('containerd') });
  return {
    ...{ name, store, containerd },
    plugin: () => plugin,
    async restartPlugin(changes = {}) {
      await plugin.child.stop();
      plugin = await startContentPlugin({ ...args, ...changes });
    },
  };
}
