import { cpSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createAuthority } from './certificates.ts';
import { onCleanup } from './cleanup.ts';
import { component, requireComponent } from './component-list.ts';
import { createEtcdAdmin, type EtcdAdmin } from './etcd-admin.ts';
import { patienceMs } from './patience.ts';
import { freePorts } from './ports.ts';
import { type Child, spawnProcess } from './processes.ts';
import { tempDir } from './temp.ts';

export interface EtcdStart {
  /** Milliseconds between heartbeats of the leader, and without one until an election. Default: those of etcd. */
  readonly heartbeatMs?: number;
  readonly electionMs?: number;
  /** Speak TLS, and with `clients` take only clients with a certificate. Default: in clear. */
  readonly tls?: { readonly clients?: boolean };
  /** Further flags, such as `{ 'quota-backend-bytes': '16777216' }`. */
  readonly flags?: Readonly<Record<string, string>>;
}

/** A member of etcd in a process of its own; it ends with the test. */
export interface EtcdMember {
  /** `127.0.0.1:PORT`, for clients; the same after a restart. */
  readonly address: string;
  readonly admin: EtcdAdmin;
  /** PEM texts to speak TLS with it: its authority, and a pair of a client of that authority. */
  readonly tls: EtcdTls | undefined;
  /** Of the process that runs now. */
  readonly child: Child;
  /** SIGKILL. Resolves when it ended. */
  kill(): Promise<void>;
  /** Starts it again on the same data. Resolves when it answers and knows who leads. */
  restart(): Promise<void>;
  /** SIGKILL, and a new one at the same address that has nothing. For the only member of a cluster. */
  restartEmpty(): Promise<void>;
  /** Keeps a copy of its data as it is now. For the only member of a cluster; SIGKILL, and started again. */
  backUp(): Promise<void>;
  /** SIGKILL, and started again on that copy, as from a backup. */
  restore(): Promise<void>;
  /** SIGSTOP: it keeps its connections and says nothing. */
  freeze(): void;
  /** SIGCONT */
  thaw(): void;
  /** SIGTERM. Resolves when it ended. */
  stop(): Promise<void>;
}

export interface EtcdTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface EtcdCluster {
  readonly members: readonly EtcdMember[];
  readonly addresses: readonly string[];
  /** The member that leads, as most of those that answer say. */
  leader(): Promise<EtcdMember>;
}

/** One etcd with an empty store that is written to disk. */
export async function startEtcd(start: EtcdStart = {}): Promise<EtcdMember> {
  const { members } = await startEtcdCluster(1, start);
  const [member] = members;
  if (!member) throw new Error('no member');
  return member;
}

/** The same; undefined where etcd is not to be had. */
export async function startEtcdIfThere(): Promise<EtcdMember | undefined> {
  return component('etcd') ? await startEtcd() : undefined;
}

/** Members that make one cluster, with empty stores. */
export async function startEtcdCluster(size: number, start: EtcdStart = {}): Promise<EtcdCluster> {
  const ports = await freePorts(2 * size);
  const places = ports.slice(0, size).map((client, index) => ({
    name: `m${index}`,
    address: `127.0.0.1:${client}`,
    peer: `http://127.0.0.1:${ports[size + index]}`,
  }));
  const initialCluster = places.map(({ name, peer }) => `${name}=${peer}`).join(',');
  const members = await Promise.all(places.map((place) => startMember({ ...place, initialCluster, start })));
  await Promise.all(members.map(({ admin }) => untilLed(admin)));
  return {
    members,
    addresses: members.map(({ address }) => address),
    leader: () => leaderOf(members),
  };
}

interface Place {
  readonly name: string;
  readonly address: string;
  /** URL for the other members. */
  readonly peer: string;
  readonly initialCluster: string;
  readonly start: EtcdStart;
}

async function startMember(place: Place): Promise<EtcdMember> {
  const { path: program, env } = requireComponent('etcd');
  const dir = tempDir();
  const tls = place.start.tls ? tlsFiles(dir, place.start.tls.clients ?? false) : undefined;
  const args = argumentsOf(place, dir, tls?.flags ?? {});
  const run = () =>
    spawnProcess(program, args, {
      env: { PATH: process.env['PATH'], ...env },
      maxLogChars: 65_536,
    });
  const admin = createEtcdAdmin(place.address, tls?.pem);
  onCleanup(() => admin.close());
  let child = await run();
  return {
    address: place.address,
    admin,
    tls: tls?.pem,
    get child() {
      return child;
    },
    kill: async () => {
      child.kill('SIGKILL');
      await child.exited;
    },
    restart: async () => {
      child = await run();
      await untilLed(admin);
    },
    backUp: async () => {
      child.kill('SIGKILL');
      await child.exited;
      cpSync(path.join(dir, 'etcd'), path.join(dir, 'backup'), { recursive: true });
      child = await run();
      await untilLed(admin);
    },
    restore: async () => {
      child.kill('SIGKILL');
      await child.exited;
      rmSync(path.join(dir, 'etcd'), { recursive: true });
      cpSync(path.join(dir, 'backup'), path.join(dir, 'etcd'), { recursive: true });
      child = await run();
      await untilLed(admin);
    },
    restartEmpty: async () => {
      child.kill('SIGKILL');
      await child.exited;
      rmSync(path.join(dir, 'etcd'), { recursive: true });
      child = await run();
      await untilLed(admin);
    },
    freeze: () => child.kill('SIGSTOP'),
    thaw: () => child.kill('SIGCONT'),
    stop: async () => void (await child.stop()),
  };
}

function argumentsOf(place: Place, dir: string, tlsFlags: Readonly<Record<string, string>>): string[] {
  const { heartbeatMs, electionMs, tls, flags } = place.start;
  const url = `${tls ? 'https' : 'http'}://${place.address}`;
  const all = {
    name: place.name,
    'data-dir': path.join(dir, 'etcd'),
    'listen-client-urls': url,
    'advertise-client-urls': url,
    'listen-peer-urls': place.peer,
    'initial-advertise-peer-urls': place.peer,
    'initial-cluster': place.initialCluster,
    'log-level': 'warn',
    logger: 'zap',
    ...(heartbeatMs === undefined ? {} : { 'heartbeat-interval': String(heartbeatMs) }),
    ...(electionMs === undefined ? {} : { 'election-timeout': String(electionMs) }),
    ...tlsFlags,
    ...flags,
  };
  return Object.entries(all).map(([name, value]) => `--${name}=${value}`);
}

function tlsFiles(dir: string, asksClients: boolean) {
  const authority = createAuthority('Authority of etcd');
  const server = authority.issue({ names: ['127.0.0.1', 'localhost'] });
  const client = authority.issue({ names: ['a-client'] });
  const file = (name: string, text: string) => {
    writeFileSync(path.join(dir, name), text);
    return path.join(dir, name);
  };
  const flags = {
    'cert-file': file('server.pem', server.cert),
    'key-file': file('server-key.pem', server.key),
    ...(asksClients ? { 'client-cert-auth': 'true', 'trusted-ca-file': file('ca.pem', authority.cert) } : {}),
  };
  return { flags, pem: { ca: authority.cert, cert: client.cert, key: client.key } };
}

async function untilLed(admin: EtcdAdmin): Promise<void> {
  for (const endMs = performance.now() + patienceMs; ; await delay(50)) {
    const status = await admin.status().catch((error: Error) => error);
    if (!(status instanceof Error) && status.leader !== '0') return;
    if (performance.now() > endMs) throw new Error('etcd has no leader', { cause: status });
  }
}

async function leaderOf(members: readonly EtcdMember[]): Promise<EtcdMember> {
  for (const endMs = performance.now() + patienceMs; ; await delay(50)) {
    const answers = await Promise.all(
      members.map(async (member) => ({ member, ...(await statusOf(member)) })),
    );
    for (const { member, id } of answers) {
      const votes = answers.filter(({ leader }) => id !== undefined && leader === id).length;
      if (votes > members.length / 2) return member;
    }
    if (performance.now() > endMs) throw new Error('no member leads');
  }
}

async function statusOf({ admin, child }: EtcdMember): Promise<{ id?: string; leader?: string }> {
  return child.isRunning() ? await admin.status().catch(() => ({})) : {};
}
