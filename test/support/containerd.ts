import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { requireComponent } from './component-list.ts';
import { spawnProcess } from './processes.ts';
import { tempDir } from './temp.ts';

export interface TestContainerd {
  /** Runs ctr to its end and answers its stdout. @throws an error with its stderr when it fails */
  ctr(...args: string[]): Promise<string>;
  /** For `--hosts-dir`. */
  readonly hostsDir: string;
  /** Writes `HOSTS_DIR/NAME/hosts.toml`. */
  configureHost(name: string, text: string): void;
}

/** containerd gives files to root and mounts what it unpacks: who is not root gets a name space in which that is so. */
const asRoot = process.getuid?.() === 0 ? [] : ['unshare', '-U', '-r', '-m', '--'];

/** A containerd with folders and a socket of its own, which ends with the test. */
export async function startContainerd(): Promise<TestContainerd> {
  const { path: program, env } = requireComponent('containerd');
  const dir = tempDir();
  const socket = path.join(dir, 's');
  const file = path.join(dir, 'config.toml');
  writeFileSync(file, configIn(dir, socket));
  const [command = program, ...args] = [...asRoot, program, '--config', file];
  const child = await spawnProcess(command, args, { env: { ...process.env, ...env } });
  await child.stderr.waitFor(/containerd successfully booted/);
  const hostsDir = path.join(dir, 'certs.d');
  mkdirSync(hostsDir);
  return {
    hostsDir,
    configureHost(name, text) {
      mkdirSync(path.join(hostsDir, name), { recursive: true });
      writeFileSync(path.join(hostsDir, name, 'hosts.toml'), text);
    },
    async ctr(...args) {
      const ctr = await spawnProcess(ctrBeside(program), ['--address', socket, ...args], {
        env: { ...process.env, ...env },
      });
      ctr.stdin.end();
      const { code } = await ctr.exited;
      if (code !== 0) throw new Error(`ctr ${args.slice(0, 2).join(' ')}: ${ctr.stderr.text().trim()}`);
      return ctr.stdout.text();
    },
  };
}

/** Nothing of the system, and nothing that a pull does not need. */
function configIn(dir: string, socket: string): string {
  return [
    'version = 2',
    `root = ${JSON.stringify(path.join(dir, 'root'))}`,
    `state = ${JSON.stringify(path.join(dir, 'state'))}`,
    'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
    '[grpc]',
    `address = ${JSON.stringify(socket)}`,
    '[ttrpc]',
    `address = ${JSON.stringify(`${socket}.t`)}`,
    '[plugins."io.containerd.internal.v1.opt"]',
    `path = ${JSON.stringify(path.join(dir, 'opt'))}`,
    '',
  ].join('\n');
}

function ctrBeside(program: string): string {
  const beside = path.join(path.dirname(program), 'ctr');
  return existsSync(beside) ? beside : 'ctr';
}
