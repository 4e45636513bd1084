import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { onCleanup } from './cleanup.ts';

/** Hosts with links of their own, joined by a switch, on this machine. Nothing of it is seen outside. */
export interface Network {
  /** Adds a host whose link carries so much in each direction; without a rate as much as it can. */
  addHost(name: string, options?: { readonly mbitPerSecond?: number }): NetworkHost;
}

export interface NetworkHost {
  readonly name: string;
  /** IPv4. */
  readonly address: string;
  /** Program with arguments that starts another program on this host. It becomes that program: same process id. */
  readonly via: readonly string[];
  /** Bytes that went over its link since it was added, with all headers. */
  traffic(): Traffic;
  /** From now on nothing gets over its link. */
  cut(): void;
  mend(): void;
}

export interface Traffic {
  readonly sent: number;
  readonly received: number;
}

const prefix = 'layerpull-net-';
const namespaceFolder = '/run/netns';
const subnet = '10.77.0';
const maxHosts = 250;

let networks = 0;

/** Why there are no networks of one's own here; undefined where there are. */
export function whyNoNetworks(): string | undefined {
  const name = `${prefix}${ownIdentity()}-probe`;
  const steps = [
    ['ip', 'netns', 'add', name],
    ['ip', '-n', name, 'link', 'add', 'probe', 'type', 'bridge'],
    ['tc', '-n', name, 'qdisc', 'add', 'dev', 'lo', 'root', ...tokenBucket(100)],
    ['nsenter', `--net=${namespaceFolder}/${name}`, 'true'],
  ];
  try {
    return steps.map(tryStep).find((problem) => problem !== undefined);
  } finally {
    spawnSync('ip', ['netns', 'del', name]);
  }
}

/** A network that ends with the test, with all programs that still run in it. */
export function createNetwork(): Network {
  removeLeftovers();
  const base = `${prefix}${ownIdentity()}-${networks}`;
  networks += 1;
  const hub = `${base}-switch`;
  addNamespace(hub);
  ip('-n', hub, 'link', 'add', 'bridge', 'type', 'bridge');
  ip('-n', hub, 'link', 'set', 'bridge', 'up');
  let hosts = 0;
  return {
    addHost: (name, { mbitPerSecond } = {}) => {
      hosts += 1;
      if (hosts > maxHosts) throw new Error(`a network has at most ${maxHosts} hosts`);
      const namespace = `${base}-${name}`;
      const port = `port${hosts}`;
      const address = `${subnet}.${hosts}`;
      addNamespace(namespace);
      plugIn({ hub, port, namespace, address });
      if (mbitPerSecond !== undefined) {
        tc('-n', namespace, 'qdisc', 'add', 'dev', 'eth0', 'root', ...tokenBucket(mbitPerSecond));
        tc('-n', hub, 'qdisc', 'add', 'dev', port, 'root', ...tokenBucket(mbitPerSecond));
      }
      return {
        name,
        address,
        via: ['nsenter', `--net=${namespaceFolder}/${namespace}`, '--'],
        traffic: () => trafficOf(namespace),
        cut: () => ip('-n', hub, 'link', 'set', port, 'down'),
        mend: () => ip('-n', hub, 'link', 'set', port, 'up'),
      };
    },
  };
}

/** Removes the networks of processes that were killed before they could, with all programs that still run in them. */
function removeLeftovers(): void {
  for (const name of namespaces()) {
    const identity = /^layerpull-net-(\d+-\d+)-/.exec(name)?.[1];
    if (identity && !isAlive(identity)) removeNamespace(name);
  }
}

/** A name that says which process made a thing: its id, and when it started, since ids come again. */
export function ownIdentity(): string {
  return `${process.pid}-${startOf(process.pid)}`;
}

/** Whether the process with this identity still runs. */
export function isAlive(identity: string): boolean {
  const [pid, start] = identity.split('-').map(Number);
  return pid !== undefined && startOf(pid) === start;
}

/** In ticks since the machine started; undefined: no such process. */
function startOf(pid: number): number | undefined {
  try {
    // The second field, the name of the program, may have spaces and brackets; the 22nd is the start.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return Number(fields[19]);
  } catch {
    return undefined;
  }
}

function addNamespace(name: string): void {
  ip('netns', 'add', name);
  onCleanup(() => removeNamespace(name));
  ip('-n', name, 'link', 'set', 'lo', 'up');
}

/** The interfaces in it go with it. */
function removeNamespace(name: string): void {
  const { stdout } = spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' });
  for (const pid of stdout.split('\n').filter((line) => line !== '')) endProcess(Number(pid));
  spawnSync('ip', ['netns', 'del', name]);
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

interface Cable {
  readonly hub: string;
  readonly port: string;
  readonly namespace: string;
  readonly address: string;
}

function plugIn({ hub, port, namespace, address }: Cable): void {
  ip(
    ...['link', 'add', 'name', 'eth0', 'netns', namespace],
    ...['type', 'veth', 'peer', 'name', port, 'netns', hub],
  );
  ip('-n', hub, 'link', 'set', port, 'master', 'bridge', 'up');
  ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
  ip('-n', namespace, 'link', 'set', 'eth0', 'up');
}

/** Enough burst for the segments that the kernel does not split; the queue is that of a small router. */
function tokenBucket(mbitPerSecond: number): string[] {
  return ['tbf', 'rate', `${mbitPerSecond}mbit`, 'latency', '200ms', 'burst', '256kb'];
}

function trafficOf(namespace: string): Traffic {
  const text = execFileSync('nsenter', [`--net=${namespaceFolder}/${namespace}`, 'cat', '/proc/net/dev'], {
    encoding: 'utf8',
  });
  const fields = /^\s*eth0:\s*(.*)$/m.exec(text)?.[1]?.split(/\s+/).map(Number) ?? [];
  return { received: fields[0] ?? 0, sent: fields[8] ?? 0 };
}

function namespaces(): string[] {
  try {
    return readdirSync(namespaceFolder).filter((name) => name.startsWith(prefix));
  } catch {
    return [];
  }
}

function tryStep([command = '', ...args]: readonly string[]): string | undefined {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status === 0) return undefined;
  return `no networks of one's own: ${command}: ${error?.message ?? stderr.trim()}`;
}

function ip(...args: string[]): void {
  run('ip', args);
}

function tc(...args: string[]): void {
  run('tc', args);
}

/** @throws an error with what the command said */
function run(command: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`);
}
