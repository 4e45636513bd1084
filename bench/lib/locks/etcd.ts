import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { component } from '../../../test/support/component-list.ts';
import { type Child, spawnProcess } from '../../../test/support/processes.ts';
import { tempDir } from '../../../test/support/temp.ts';

export interface Etcd {
  /** `127.0.0.1:PORT` */
  readonly address: string;
  readonly child: Child;
  stop(): Promise<void>;
}

/** One etcd with an empty store that is written to disk; undefined where etcd is not to be had. */
export async function startEtcd(): Promise<Etcd | undefined> {
  const found = component('etcd');
  if (!found) return undefined;
  const [client, peer] = await Promise.all([freePort(), freePort()]);
  const address = `127.0.0.1:${client}`;
  const args = Object.entries({
    'data-dir': path.join(tempDir(), 'etcd'),
    'listen-client-urls': `http://${address}`,
    'advertise-client-urls': `http://${address}`,
    'listen-peer-urls': `http://127.0.0.1:${peer}`,
    'initial-advertise-peer-urls': `http://127.0.0.1:${peer}`,
    'initial-cluster': `default=http://127.0.0.1:${peer}`,
    'log-level': 'warn',
    logger: 'zap',
  }).map(([name, value]) => `--${name}=${value}`);
  const env = { PATH: process.env['PATH'], ...found.env };
  const child = await spawnProcess(found.path, args, { env, maxLogChars: 65_536 });
  const stop = async () => void (await child.stop());
  return { address, child, stop };
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || !address) throw new Error('no free port');
  return address.port;
}
