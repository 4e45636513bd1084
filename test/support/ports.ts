import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';

/**
 * Below those that Linux, BSD and Windows give out by themselves (from 32768 on), to who asks for any and to each
 * connection that is made: nothing else on the machine gets one of these by chance while nobody listens there.
 */
const [first, last] = [15_000, 32_000];

/**
 * Ports of 127.0.0.1 on which nobody listens, no two the same. For programs that must know their port before they
 * start, or be started again on the same one.
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers: net.Server[] = [];
  while (servers.length < count) {
    const server = await listenAt(randomInt(first, last));
    if (server) servers.push(server);
  }
  const ports = servers.map((server) => {
    const address = server.address();
    if (typeof address !== 'object' || !address) throw new Error('no free port');
    return address.port;
  });
  await Promise.all(
    servers.map(async (server) => {
      server.close();
      await once(server, 'close');
    }),
  );
  return ports;
}

/** `127.0.0.1:PORT` with one of them. */
export async function freeAddress(): Promise<string> {
  const [port] = await freePorts(1);
  return `127.0.0.1:${port}`;
}

/** Undefined: it is taken. */
async function listenAt(port: number): Promise<net.Server | undefined> {
  const server = net.createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
    return server;
  } catch {
    return undefined;
  }
}
