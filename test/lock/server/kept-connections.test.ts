import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type NodeId, toNodeId } from '../../../src/core/ids.ts';
import { silentLog } from '../../../src/core/log.ts';
import { type Connections, createConnections } from '../../../src/lock/server/connections.ts';
import { defaultLimits } from '../../../src/lock/server/limits.ts';
import { onCleanup } from '../../support/cleanup.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { connectRaw, type RawClient, rawRequest } from './raw-client.ts';

/** Connections whose requests carry the node that their path names, if any. */
let url: string;
let clock: FakeClock;
let connections: Connections;
let gone: NodeId[];
/** The server's side of each connection, in the order of their arrival. */
let served: Socket[];

beforeEach(async () => {
  clock = createFakeClock();
  gone = [];
  served = [];
  connections = createConnections({
    ...{ clock, log: silentLog, limits: defaultLimits, onNodeGone: (nodeId) => void gone.push(nodeId) },
  });
  const server = connections.createServer((request, response) => {
    const node = request.url?.slice(1);
    if (node) connections.carried(request.socket, toNodeId(node));
    if (request.method === 'GET') response.end(node);
  });
  server.on('connection', (socket) => served.push(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  onCleanup(() => {
    connections.finish();
    connections.cut();
    server.close();
  });
});

const clients: RawClient[] = [];

afterEach(() => {
  for (const { socket } of clients.splice(0)) socket.destroy();
});

async function client(): Promise<RawClient> {
  const one = await connectRaw(url);
  clients.push(one);
  return one;
}

/** A request that is answered; resolves once the server knows that it is. */
async function ask(one: RawClient, node: string): Promise<void> {
  const before = one.text().length;
  one.write(rawRequest(`GET /${node}`));
  while (!one.text().slice(before).includes('\r\n\r\n')) await once(one.socket, 'news');
  await clock.advance(0);
}

/** Unlike `once`, also after a reset. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

/** Ends the client's side, and resolves once the server has noticed. */
async function leave(one: RawClient): Promise<void> {
  const side = served[clients.indexOf(one)];
  const noticed = side && !side.closed ? closeOf(side) : undefined;
  one.socket.end();
  await noticed;
}

describe('a client without a session', () => {
  it('is gone when it closes a connection that carried two requests', async () => {
    const one = await client();
    await ask(one, 'a');
    await ask(one, 'a');
    expect(gone).toEqual([]);
    await leave(one);
    expect(gone).toEqual(['a']);
  });

  it('is gone when it closes a connection that it left open for five seconds after its reply', async () => {
    const one = await client();
    await ask(one, 'a');
    await clock.advance(5_000);
    await leave(one);
    expect(gone).toEqual(['a']);
  });

  it('is not watched while it closes with every reply', async () => {
    for (let time = 0; time < 5; time += 1) {
      const one = await client();
      await ask(one, 'a');
      await clock.advance(4_999);
      await leave(one);
    }
    expect(gone).toEqual([]);
  });

  it('is not gone while it keeps another connection', async () => {
    const pool = [await client(), await client(), await client()];
    for (const one of [...pool, ...pool]) await ask(one, 'a');
    const [first, second, third] = pool as [RawClient, RawClient, RawClient];
    await leave(second);
    await leave(first);
    expect(gone).toEqual([]);
    await leave(third);
    expect(gone).toEqual(['a']);
  });

  it('is not gone when it closes one connection just after it asked on a new one', async () => {
    const listening = await client();
    await ask(listening, 'a');
    await ask(listening, '');
    const asking = await client();
    await ask(asking, 'a');
    await leave(listening);
    await clock.advance(60_000);
    expect(gone).toEqual([]);
    await leave(asking);
    expect(gone).toEqual(['a']);
  });

  it('is gone when the other connection that it had open turns out to be none that it keeps', async () => {
    const kept = await client();
    await ask(kept, 'a');
    await ask(kept, 'a');
    const short = await client();
    await ask(short, 'a');
    await leave(kept);
    expect(gone).toEqual([]);
    await leave(short);
    expect(gone).toEqual(['a']);
  });

  it('that was heard since it closed its kept connection is not gone with a short one', async () => {
    const kept = await client();
    await ask(kept, 'a');
    await ask(kept, 'a');
    const [early, late] = [await client(), await client()];
    await ask(early, 'a');
    await leave(kept);
    await ask(late, 'a');
    await leave(early);
    await leave(late);
    expect(gone).toEqual([]);
  });

  it('is gone when its connection is reset, and while its request is under way', async () => {
    const one = await client();
    await ask(one, 'a');
    one.write(rawRequest('PUT /a', ''));
    await ask(await client(), 'b');
    const closed = closeOf(served[0] as Socket);
    one.socket.resetAndDestroy();
    await closed;
    expect(gone).toEqual(['a']);
  });

  it('is not gone when the server closes the connection, or stops', async () => {
    const [told, cut, last] = [await client(), await client(), await client()];
    for (const one of [told, told, cut, cut, last, last]) await ask(one, `node-${clients.indexOf(one)}`);
    told.write('GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n');
    await told.ended();
    await leave(told);
    served[1]?.destroy();
    await cut.ended();
    connections.finish();
    await last.ended();
    await leave(last);
    expect(served.map((socket) => socket.destroyed)).toEqual([true, true, true]);
    expect(gone).toEqual([]);
  });

  it('is not gone when the server has refused what it sent', async () => {
    const one = await client();
    await ask(one, 'a');
    await ask(one, 'a');
    one.write('nonsense\r\n\r\n');
    await one.ended();
    await leave(one);
    expect(gone).toEqual([]);
  });

  it('may share a connection with others, of which the last 64 are remembered', async () => {
    const proxy = await client();
    for (let node = 0; node < 70; node += 1) await ask(proxy, `node-${node}`);
    await ask(proxy, 'node-6');
    await ask(proxy, 'node-0');
    await leave(proxy);
    const forgotten = ['node-1', 'node-2', 'node-3', 'node-4', 'node-5', 'node-7'];
    expect(gone).toHaveLength(64);
    expect(gone.filter((node) => forgotten.includes(node))).toEqual([]);
  });

  it('that names no node is nobody', async () => {
    const one = await client();
    await ask(one, '');
    await ask(one, '');
    await leave(one);
    expect(gone).toEqual([]);
  });
});
