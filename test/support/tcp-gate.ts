import net, { type AddressInfo, type Socket } from 'node:net';
import { onCleanup } from './cleanup.ts';

export interface TcpGate {
  /** `HOST:PORT`: reach the server through this. */
  readonly address: string;
  /** How many connections were made so far. */
  connections(): number;
  /** From now on the server hears the client, and the client hears nothing. New connections are made. */
  hush(): void;
  /** From now on neither hears the other. */
  shut(): void;
  /** The connections that there are stay silent for ever; new ones are not held. */
  lose(): void;
  /** What waited goes on. */
  open(): void;
  /** Ends every connection. */
  cut(): void;
}

/** Stands before a server and holds back bytes, as a network that loses packets does. */
export async function startTcpGate(target: string, host = '127.0.0.1'): Promise<TcpGate> {
  const [, targetHost = '', port = ''] = /^(.*):(\d+)$/.exec(target) ?? [];
  const pairs = new Set<readonly [client: Socket, server: Socket]>();
  const lost = new Set<readonly [Socket, Socket]>();
  let held = { toServer: false, toClient: false };
  let connections = 0;
  const apply = (pair: readonly [Socket, Socket]) => {
    if (lost.has(pair)) return;
    const [client, server] = pair;
    if (held.toServer) client.pause();
    else client.resume();
    if (held.toClient) server.pause();
    else server.resume();
  };
  const hold = (next: typeof held) => {
    held = next;
    for (const pair of pairs) apply(pair);
  };
  const lose = () => {
    for (const pair of pairs) {
      for (const socket of pair) socket.pause();
      lost.add(pair);
    }
  };
  const gate = net.createServer((client) => {
    connections += 1;
    const server = net.connect(Number(port), targetHost);
    const pair = [client, server] as const;
    pairs.add(pair);
    for (const [from, to] of [pair, pair.toReversed()] as const) {
      from?.on('data', (bytes: Buffer) => to?.write(bytes));
      from
        ?.on('error', () => {})
        .once('close', () => {
          pairs.delete(pair);
          to?.destroy();
        });
    }
    apply(pair);
  });
  await new Promise<void>((resolve) => gate.listen(0, host, resolve));
  const cut = () => {
    for (const pair of pairs) for (const socket of pair) socket.destroy();
  };
  onCleanup(() => {
    cut();
    gate.close();
  });
  return {
    address: `${host.includes(':') ? `[${host}]` : host}:${(gate.address() as AddressInfo).port}`,
    connections: () => connections,
    hush: () => hold({ toServer: false, toClient: true }),
    shut: () => hold({ toServer: true, toClient: true }),
    lose,
    open: () => hold({ toServer: false, toClient: false }),
    cut,
  };
}
