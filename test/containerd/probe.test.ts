import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { probeContentService, probeDaemon } from '../../src/containerd/probe.ts';
import { systemClock } from '../../src/core/clock.ts';
import { spawnProcess } from '../support/processes.ts';
import { soon } from '../support/soon.ts';
import { tempDir } from '../support/temp.ts';
import { startGrpc, startSilent } from './grpc-servers.ts';

const options = { clock: systemClock, signal: new AbortController().signal };

describe('a look at the socket of the content plugin', () => {
  it.each([status.NOT_FOUND, status.OK])(
    'is content with a content service that answers %i',
    async (code) => {
      expect(await probeContentService(await startGrpc({ contentStatus: code }), options)).toBeUndefined();
    },
  );

  it('tells another service from a content service', async () => {
    const problem = await probeContentService(await startGrpc({ version: '1.7.0' }), options);
    expect(problem).toEqual({ kind: 'foreign', reason: 'another service answers there' });
  });

  it('says which error a content service has', async () => {
    const problem = await probeContentService(await startGrpc({ contentStatus: status.INTERNAL }), options);
    expect(problem).toEqual({ kind: 'foreign', reason: 'it answers with INTERNAL' });
  });

  it('says that nothing is there', async () => {
    const problem = await probeContentService(path.join(tempDir(), 'nothing'), options);
    expect(problem).toEqual({ kind: 'absent', reason: 'it is not there' });
  });

  it('says that a file is no socket', async () => {
    const file = path.join(tempDir(), 'file');
    writeFileSync(file, '');
    expect(await probeContentService(file, options)).toEqual({ kind: 'foreign', reason: 'it is no socket' });
  });

  it('says that nobody listens on a socket that a dead process left', async () => {
    const socket = path.join(tempDir(), 'left.sock');
    const script = `require('node:net').createServer().listen(${JSON.stringify(socket)})`;
    const child = await spawnProcess(process.execPath, ['-e', script], { env: process.env });
    await soon(async () => expect(existsSync(socket)).toBe(true));
    process.kill(child.pid, 'SIGKILL');
    await child.exited;
    expect(await probeContentService(socket, options)).toEqual({
      kind: 'deaf',
      reason: 'nobody listens there',
    });
  });

  it('does not wait for ever for one that says nothing', async () => {
    const clock = { ...systemClock, wallNow: () => systemClock.wallNow() - 2_900 };
    const problem = await probeContentService(await startSilent(), { ...options, clock });
    expect(problem).toEqual({ kind: 'deaf', reason: 'no answer within 3 s' });
  });

  it('ends at once when it is told to', async () => {
    const stop = new AbortController();
    const reason = new Error('enough');
    const looking = probeContentService(await startSilent(), { ...options, signal: stop.signal });
    stop.abort(reason);
    await expect(looking).rejects.toBe(reason);
  });

  it('says so of one that speaks something else', async () => {
    const socket = path.join(tempDir(), 'http.sock');
    const server = createServer((connection) => connection.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    const problem = await probeContentService(socket, options);
    server.close();
    expect(problem).toMatchObject({ kind: 'deaf' });
  });

  it('refuses a path that no socket can have', async () => {
    const problem = await probeContentService(`/${'a'.repeat(107)}`, options);
    expect(problem).toMatchObject({ kind: 'foreign', reason: expect.stringContaining('107 bytes') });
  });
});

describe('a look at the socket of containerd', () => {
  it('hears its version and its content plugins', async () => {
    const socket = await startGrpc({
      version: '1.7.2',
      plugins: [
        { type: 'io.containerd.content.v1', id: 'layerpull', exports: { address: '/run/x.sock' } },
        { type: 'io.containerd.content.v1', id: 'content', initErr: { message: 'broken' } },
      ],
    });
    expect(await probeDaemon(socket, options)).toEqual({
      version: '1.7.2',
      contentPlugins: [
        {
          type: 'io.containerd.content.v1',
          id: 'layerpull',
          exports: { address: '/run/x.sock' },
          initErr: null,
        },
        { type: 'io.containerd.content.v1', id: 'content', exports: {}, initErr: { message: 'broken' } },
      ],
    });
  });

  it('does without plugins where it does not tell', async () => {
    const socket = await startGrpc({ version: '1.7.2' });
    expect(await probeDaemon(socket, options)).toEqual({ version: '1.7.2', contentPlugins: undefined });
  });

  it('tells another service from containerd', async () => {
    const socket = await startGrpc({ contentStatus: status.OK });
    expect(await probeDaemon(socket, options)).toMatchObject({ problem: { kind: 'foreign' } });
    expect(await probeDaemon('/nowhere', options)).toMatchObject({ problem: { kind: 'absent' } });
  });
});
