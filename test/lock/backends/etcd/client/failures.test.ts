import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import os from 'node:os';
import { expect, it } from 'vitest';
import { onCleanup } from '../../../../support/cleanup.ts';
import { describeWith } from '../../../../support/components.ts';
import { startEtcd } from '../../../../support/etcd.ts';
import { etcdClient, etcdStage } from '../../../../support/etcd-stage.ts';
import { soon } from '../../../../support/soon.ts';
import { startTcpGate } from '../../../../support/tcp-gate.ts';

const callMs = 300;
/** The same where something is to be answered: etcd writes to a disk that others use as well. */
const patientMs = 3_000;
const hasIpv6 = (os.networkInterfaces()['lo'] ?? []).some(({ address }) => address === '::1');
const first = () => 0;
const put = (key: string, value = '') => ({ compare: [], success: [{ kind: 'put', key, value }] }) as const;

describeWith(['etcd'], 'a client of etcd that cannot reach it', () => {
  it('says in one line which addresses it tried and what came of each', async () => {
    const silent = await silentServer();
    const etcd = etcdClient({ endpoints: ['127.0.0.1:1', silent, 'no.such.invalid:2379'], callMs });
    const error = await etcd.transact(put('a')).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'etcd_unreachable', exitCode: 5, retryable: true, origin: 'lock' });
    const { message } = error as Error;
    expect(message).toContain('127.0.0.1:1 (connection refused)');
    expect(message).toContain(`${silent} (no reply within 0.3 s)`);
    expect(message).toContain('no.such.invalid:2379 (host not found)');
    expect(message).not.toContain('\n');
  });

  it('fails every kind of call', async () => {
    const etcd = etcdClient({ endpoints: ['127.0.0.1:1'], callMs });
    const unreachable = { code: 'etcd_unreachable' };
    await expect(etcd.list('')).rejects.toMatchObject(unreachable);
    await expect(etcd.lease(5)).rejects.toMatchObject(unreachable);
    const watch = etcd.watch('', 1, new AbortController().signal)[Symbol.asyncIterator]();
    await expect(watch.next()).rejects.toMatchObject(unreachable);
  });

  it('throws the reason of a signal that aborts before and while it waits', async () => {
    const etcd = etcdClient({ endpoints: [await silentServer()], callMs: 600_000 });
    const reason = new Error('enough');
    await expect(etcd.transact(put('a'), AbortSignal.abort(reason))).rejects.toBe(reason);
    for (const call of [
      (signal: AbortSignal) => etcd.transact(put('a'), signal),
      (signal: AbortSignal) => etcd.list('', { signal }),
      (signal: AbortSignal) => etcd.lease(5, signal),
    ]) {
      const ended = new AbortController();
      const answer = call(ended.signal);
      ended.abort(reason);
      await expect(answer).rejects.toBe(reason);
    }
  });

  it('throws the reason of a signal that aborts while a member owes an answer', async () => {
    const { etcd, member } = await etcdStage();
    await etcd.list('');
    member.freeze();
    const reason = new Error('enough');
    const ended = new AbortController();
    const answer = etcd.transact(put('a'), ended.signal);
    ended.abort(reason);
    await expect(answer).rejects.toBe(reason);
  });

  it('works again once the member is back', async () => {
    const { etcd, member } = await etcdStage({}, { callMs: patientMs });
    await etcd.transact(put('a', 'one'));
    await member.kill();
    await expect(etcd.list('')).rejects.toMatchObject({ code: 'etcd_unreachable' });
    await member.restart();
    await soon(async () => expect((await etcd.list('')).entries).toHaveLength(1));
  });

  it('works again once the network is back, though the old connection is still silent', async () => {
    const member = await startEtcd();
    const gate = await startTcpGate(member.address);
    const etcd = etcdClient({ endpoints: [gate.address], callMs: patientMs });
    await etcd.list('');
    gate.lose();
    await expect(etcd.transact(put('a'))).rejects.toMatchObject({ code: 'etcd_unreachable' });
    expect((await etcd.transact(put('a'))).succeeded).toBe(true);
  });
});

describeWith(['etcd'], 'a client of etcd with several addresses', () => {
  it('goes on to the next member while nothing was sent', async () => {
    const member = await startEtcd();
    const etcd = etcdClient({
      endpoints: ['127.0.0.1:1', await silentServer(), member.address],
      callMs: patientMs,
      random: first,
    });
    expect((await etcd.transact(put('a'))).succeeded).toBe(true);
  });

  it.runIf(hasIpv6)('takes an address of IPv6 (needs ::1)', async () => {
    const member = await startEtcd();
    const gate = await startTcpGate(member.address, '::1');
    const etcd = etcdClient({ endpoints: [gate.address] });
    expect((await etcd.list('')).entries).toEqual([]);
  });

  it.each([401, 403, 404])('passes over one where something else answers, with %d', async (answer) => {
    const other = await otherServer(answer);
    const { address } = await startEtcd();
    for (const random of [first, () => 0.9]) {
      const etcd = etcdClient({ endpoints: [other, address], callMs, random });
      const { revision } = await etcd.transact(put('a'));
      const ended = new AbortController();
      const watch = etcd.watch('', revision, ended.signal)[Symbol.asyncIterator]();
      await watch.next();
      expect((await watch.next()).value).toMatchObject({ changes: [{ entry: { key: 'a' } }] });
      ended.abort();
    }
    const none = etcdClient({ endpoints: [other], callMs });
    await expect(none.list('')).rejects.toMatchObject({
      code: 'etcd_unreachable',
      hint: 'check that etcd 3.4 or newer listens there',
    });
  });

  it('reads again at the next member when the first one owes an answer', async () => {
    const { etcd, gate } = await throughGate();
    gate.hush();
    expect((await etcd.list('')).entries).toHaveLength(1);
  });

  it('does not send a transaction again whose fate is not known', async () => {
    const { etcd, gate } = await throughGate();
    gate.hush();
    const error = await etcd.transact(put('b', 'done')).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'etcd_unreachable', retryable: true });
    expect((error as Error).message).toBe(
      `etcd at ${gate.address} broke off: no reply within 3 s; whether it did what was asked is not known`,
    );
    const { found } = await etcd.transact({ compare: [], success: [{ kind: 'get', key: 'b' }] });
    const [entry] = found;
    expect(entry?.value.toString()).toBe('done');
    expect(entry?.modRevision).toBe(entry?.createRevision);
  });

  it('does not send a transaction again when the connection breaks under it', async () => {
    const { etcd, gate, member } = await throughGate(600_000);
    const witness = etcdClient({ endpoints: [member.address] });
    gate.hush();
    const answer = etcd.transact(put('b', 'done'));
    answer.catch(() => {});
    await soon(async () => expect((await witness.list('b')).entries).toHaveLength(1));
    gate.cut();
    await expect(answer).rejects.toMatchObject({ code: 'etcd_unreachable' });
    const [entry] = (await witness.list('b')).entries;
    expect(entry?.modRevision).toBe(entry?.createRevision);
  });

  it('prefers another member for the next watch when one breaks', async () => {
    const { etcd, gate } = await throughGate();
    const ended = new AbortController();
    onCleanup(() => ended.abort());
    const watch = () => etcd.watch('', 1, ended.signal)[Symbol.asyncIterator]();
    const broken = watch();
    await broken.next();
    await broken.next();
    const connections = gate.connections();
    gate.lose();
    await expect(broken.next()).rejects.toMatchObject({ code: 'etcd_unreachable' });
    const next = watch();
    await next.next();
    expect((await next.next()).value?.changes).toHaveLength(1);
    expect(gate.connections()).toBe(connections);
  });
});

/** A client whose first way to the member goes through a gate, with one key. */
async function throughGate(callMs = patientMs) {
  const member = await startEtcd();
  const gate = await startTcpGate(member.address);
  const etcd = etcdClient({ endpoints: [gate.address, member.address], callMs, random: first });
  await etcd.transact(put('a'));
  return { etcd, gate, member };
}

/** Speaks HTTP/2, and answers everything so. */
async function otherServer(answer: number): Promise<string> {
  const server = http2.createServer((_, response) => void response.writeHead(answer).end());
  const sessions: http2.Http2Session[] = [];
  server.on('session', (session) => sessions.push(session));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onCleanup(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Takes connections and says nothing. */
async function silentServer(): Promise<string> {
  const sockets: net.Socket[] = [];
  const server = net.createServer((socket) => void sockets.push(socket.on('error', () => {})));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onCleanup(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
