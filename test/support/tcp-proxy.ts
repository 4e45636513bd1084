import net from 'node:net';
import { onCleanup } from './cleanup.ts';

/** A way to a server that can break or clog. */
export interface TcpProxy {
  readonly url: string;
  /** Connections open now. */
  readonly connections: number;
  /** Cuts every connection. */
  cut(): void;
  /** The same, and refuses new ones. */
  kill(): Promise<void>;
  /** Cuts every connection, and each new one at once, until it is told otherwise. */
  refuse(does: boolean): void;
  /** Takes connections and bytes, and hands nothing on, like a process that is stopped. */
  freeze(): void;
  /** What was kept back goes on its way. */
  thaw(): void;
}

/** A proxy on a free port before whatever listens at `target`. */
export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<net.Socket>();
  let [isFrozen, refuses] = [false, false];
  const keep = (socket: net.Socket) => {
    sockets.add(socket);
    if (isFrozen) socket.pause();
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  };
  const connect = (from: net.Socket) => {
    if (refuses) return void from.destroy();
    const to = net.connect(Number(port), hostname);
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const) {
      keep(one);
      one.on('data', (bytes) => {
        if (!other.destroyed) other.write(bytes);
      });
      one.once('end', () => other.end());
      one.once('close', () => other.destroy());
    }
  };
  const server = net.createServer({ allowHalfOpen: false }, connect);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  const kill = async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    cut();
    await closed;
  };
  onCleanup(kill);
  return {
    url: `http://127.0.0.1:${address.port}`,
    get connections() {
      return sockets.size / 2;
    },
    cut,
    kill,
    refuse(does) {
      refuses = does;
      for (const socket of does ? sockets : []) socket.destroy();
    },
    freeze() {
      isFrozen = true;
      for (const socket of sockets) socket.pause();
    },
    thaw() {
      isFrozen = false;
      for (const socket of sockets) socket.resume();
    },
  };
}
