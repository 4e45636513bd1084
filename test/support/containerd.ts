import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Component, requireComponent } from './component-list.ts';
import { keepOutput } from './kept-output.ts';
import { type Child, spawnProcess } from './processes.ts';
import { tempDir } from './temp.ts';

export interface ContainerdOptions {
  /** Socket of a content plugin that takes the place of its own content store. Default: none. */
  readonly contentSocket?: string | undefined;
  /** Program with arguments that starts it and its clients, such as one that enters a network. Default: none. */
  readonly via?: readonly string[] | undefined;
  /** File that gets what it says. Default: none. */
  readonly logFile?: string | undefined;
}

export interface TestContainerd {
  /** Path of its gRPC socket, in the folder with all it has. */
  readonly socket: string;
  /** Path of its configuration. */
  readonly configFile: string;
  /** Folder of all that it keeps. */
  readonly root: string;
  /** Has it take its content from this socket, or with none from its own store, once it is started again. */
  configureContent(contentSocket: string | undefined): void;
  /** Of the process that was started last. */
  readonly pid: number;
  /** Runs ctr to its end and answers its stdout. @throws an error with its stderr when it fails */
  ctr(...args: string[]): Promise<string>;
  /** Starts ctr; whoever calls looks how it ends. */
  spawnCtr(...args: string[]): Promise<Child>;
  /** `ctr images pull` over http, with unpack. */
  pull(reference: string): Promise<string>;
  /** Runs a command in a container of an image that was pulled, and answers what it printed. */
  run(reference: string, ...command: string[]): Promise<string>;
  /** For `--hosts-dir`. */
  readonly hostsDir: string;
  /** Writes `HOSTS_DIR/NAME/hosts.toml`. */
  configureHost(name: string, text: string): void;
  /** With SIGTERM, or another signal. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Once it was stopped: the same one with all it has. */
  start(): Promise<void>;
}

/** containerd gives files to root and mounts what it unpacks: who is not root gets a name space in which that is so. */
const asRoot = process.getuid?.() === 0 ? [] : ['unshare', '-U', '-r', '-m', '--'];
/** Copies of files: where overlays cannot be mounted, this can. */
export const snapshotter = ['--snapshotter', 'native'] as const;

/** Why containers cannot be run here; undefined where they can. */
export function whyNoContainers(): string | undefined {
  return process.getuid?.() === 0 ? undefined : 'containers cannot be run: that takes root';
}

/** A containerd with folders and a socket of its own, which ends with the test. */
export async function startContainerd(options: ContainerdOptions = {}): Promise<TestContainerd> {
  const dir = tempDir();
  const socket = path.join(dir, 's');
  const hostsDir = path.join(dir, 'certs.d');
  const configFile = path.join(dir, 'config.toml');
  mkdirSync(hostsDir);
  const containerd = new Containerd({ dir, socket, hostsDir, configFile, options });
  containerd.configureContent(options.contentSocket);
  await containerd.start();
  return containerd;
}

interface Parts {
  readonly dir: string;
  readonly socket: string;
  readonly hostsDir: string;
  readonly configFile: string;
  readonly options: ContainerdOptions;
}

class Containerd implements TestContainerd {
  readonly socket: string;
  readonly hostsDir: string;
  readonly configFile: string;
  readonly root: string;
  readonly #parts: Parts;
  readonly #component: Component = requireComponent('containerd');
  #child: Child | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.socket = parts.socket;
    this.hostsDir = parts.hostsDir;
    this.configFile = parts.configFile;
    this.root = path.join(parts.dir, 'root');
  }

  configureContent(contentSocket: string | undefined): void {
    const { dir, socket, configFile } = this.#parts;
    writeFileSync(configFile, configIn(dir, socket, contentSocket));
  }

  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  async start(): Promise<void> {
    const { configFile, options } = this.#parts;
    const child = await this.#spawn([...asRoot, this.#component.path, '--config', configFile]);
    this.#child = child;
    if (options.logFile !== undefined) keepOutput(child.stderr, options.logFile);
    await child.stderr.waitFor(/containerd successfully booted/);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#child?.kill(signal);
    await this.#child?.exited;
  }

  async ctr(...args: string[]): Promise<string> {
    const ctr = await this.spawnCtr(...args);
    const { code } = await ctr.exited;
    if (code !== 0) throw new Error(`ctr ${args.slice(0, 2).join(' ')}: ${ctr.stderr.text().trim()}`);
    return ctr.stdout.text();
  }

  async spawnCtr(...args: string[]): Promise<Child> {
    const ctr = await this.#spawn([ctrBeside(this.#component.path), '--address', this.socket, ...args]);
    ctr.stdin.end();
    return ctr;
  }

  async pull(reference: string): Promise<string> {
    return await this.ctr('images', 'pull', '--plain-http', ...snapshotter, reference);
  }

  async run(reference: string, ...command: string[]): Promise<string> {
    // All containerds of a machine have their containers in one folder of runc.
    const name = `layerpull-${randomUUID()}`;
    return await this.ctr('run', '--rm', ...snapshotter, '--net-host', reference, name, ...command);
  }

  configureHost(name: string, text: string): void {
    mkdirSync(path.join(this.hostsDir, name), { recursive: true });
    writeFileSync(path.join(this.hostsDir, name, 'hosts.toml'), text);
  }

  /** With the programs that it starts itself in its path. */
  async #spawn(words: readonly string[]): Promise<Child> {
    const [command = '', ...args] = [...(this.#parts.options.via ?? []), ...words];
    const beside = path.dirname(this.#component.path);
    const { PATH = '' } = process.env;
    return await spawnProcess(command, args, {
      env: { ...process.env, ...this.#component.env, PATH: `${beside}${path.delimiter}${PATH}` },
    });
  }
}

/** Nothing of the system, and nothing that a pull does not need. */
function configIn(dir: string, socket: string, contentSocket: string | undefined): string {
  const disabled = ['io.containerd.grpc.v1.cri'];
  if (contentSocket !== undefined) disabled.push('io.containerd.content.v1.content');
  const proxy =
    contentSocket === undefined
      ? []
      : ['[proxy_plugins.layerpull]', 'type = "content"', `address = ${JSON.stringify(contentSocket)}`];
  return [
    'version = 2',
    `root = ${JSON.stringify(path.join(dir, 'root'))}`,
    `state = ${JSON.stringify(path.join(dir, 'state'))}`,
    `disabled_plugins = ${JSON.stringify(disabled)}`,
    '[grpc]',
    `address = ${JSON.stringify(socket)}`,
    '[ttrpc]',
    `address = ${JSON.stringify(`${socket}.t`)}`,
    '[plugins."io.containerd.internal.v1.opt"]',
    `path = ${JSON.stringify(path.join(dir, 'opt'))}`,
    ...proxy,
    '',
  ].join('\n');
}

function ctrBeside(program: string): string {
  const beside = path.join(path.dirname(program), 'ctr');
  return existsSync(beside) ? beside : 'ctr';
}
