import { once } from 'node:events';
import { type ClientHttp2Stream, connect, constants, type IncomingHttpHeaders } from 'node:http2';
import net from 'node:net';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { GrpcCall } from '../../src/containerd/grpc/call.ts';
import { framed, joined } from '../../src/containerd/grpc/frames.ts';
import { GrpcServer } from '../../src/containerd/grpc/server.ts';
import { Refusal, toFailure } from '../../src/containerd/refusal.ts';
import { deferred } from '../../src/core/abort.ts';
import { systemClock } from '../../src/core/clock.ts';
import { onCleanup } from '../support/cleanup.ts';
import { createFakeClock, settle } from '../support/fake-clock.ts';
import { tempDir } from '../support/temp.ts';

const mebibyte = 1_048_576;
const theCall = '/a.Service/Call';

/** A server with one call, and a client of it. */
async function serve(handler: (call: GrpcCall) => Promise<void>, clock = systemClock) {
  const socket = path.join(tempDir(), 's');
  const handlers = new Map([[theCall, handler]]);
  const server = new GrpcServer({ handlers, maxMessageBytes: 4 * mebibyte, clock });
  await server.listen(socket);
  const session = connect('http://localhost', { createConnection: () => net.connect(socket) });
  session.on('error', () => {});
  onCleanup(async () => {
    session.destroy();
    await server.close();
  });
  const open = (name = theCall) => {
    const stream = session.request({ ':method': 'POST', ':path': name, 'content-type': 'application/grpc' });
    return stream.on('error', () => {});
  };
  return { server, session, socket, open };
}

/** Answers each message with itself. */
async function echo(call: GrpcCall): Promise<void> {
  for (let message = await call.next(); message; message = await call.next())
    await call.send(joined(message));
  call.end();
}

/** What comes, and how it ends. */
async function result(stream: ClientHttp2Stream) {
  const pieces: Buffer[] = [];
  const head: IncomingHttpHeaders = {};
  const note = (headers: IncomingHttpHeaders) => void Object.assign(head, headers);
  stream.on('response', note).on('trailers', note);
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  await once(stream, 'close');
  return { status: head['grpc-status'], message: head['grpc-message'], body: Buffer.concat(pieces) };
}

describe('a gRPC server', () => {
  it('answers the messages of a client, and then says how it went', async () => {
    const { open } = await serve(echo);
    const stream = open();
    const messages = [Buffer.alloc(3 * mebibyte, 'a'), Buffer.alloc(0), Buffer.from('b')];
    for (const message of messages) stream.write(framed(message));
    stream.end();
    const { status, body } = await result(stream);
    expect(status).toBe('0');
    expect(body.equals(Buffer.concat(messages.map(framed)))).toBe(true);
  });

  it('lets clients send a large message without waiting', async () => {
    const { session } = await serve(echo);
    const [settings] = await once(session, 'remoteSettings');
    expect(settings.initialWindowSize).toBeGreaterThan(mebibyte);
  });

  it('says of a call that it does not know that there is none', async () => {
    const { open } = await serve(echo);
    const stream = open('/a.Service/Other');
    stream.end();
    expect(await result(stream)).toMatchObject({ status: '12' });
  });

  it('says what failed, in any characters, before and after answers', async () => {
    const { open } = await serve(async (call) => {
      const message = await call.next();
      if (message && joined(message).length > 0) await call.send(Buffer.from('answer'));
      call.end(toFailure(new Refusal('aborted', 'ü 100 %\n\ud800')));
      call.end();
    });
    for (const [text, body] of [
      ['', Buffer.alloc(0)],
      ['more', framed(Buffer.from('answer'))],
    ] as const) {
      const stream = open();
      stream.end(framed(Buffer.from(text)));
      const message = '%C3%BC%20100%20%25%20%EF%BF%BD';
      expect(await result(stream)).toEqual({ status: '10', message, body });
    }
  });

  it.each([
    [
      'a message that is not whole',
      framed(Buffer.from('abc')).subarray(0, 7),
      'the last message is not whole',
    ],
    ['a message that is too large', framed(Buffer.alloc(4 * mebibyte + 1)), /is larger than/],
  ])('refuses %s', async (_, bytes, reason) => {
    const found = deferred<unknown>();
    const { open } = await serve(async (call) => {
      await call.next().catch(found.resolve);
      call.end(toFailure(await found.promise));
    });
    open().end(bytes);
    expect(await found.promise).toMatchObject({ message: expect.stringMatching(reason) });
  });

  it('hears at once of a client that goes away, also while it receives nothing', async () => {
    const gone = deferred<void>();
    const received = deferred<void>();
    const { open } = await serve(async (call) => {
      call.onGone(gone.resolve);
      await call.next();
      received.resolve();
      await gone.promise;
      expect(call.isOver).toBe(true);
      await expect(call.send(Buffer.from('x'))).rejects.toMatchObject({ status: 'cancelled' });
      call.end();
    });
    const stream = open();
    for (let count = 0; count < 3; count += 1) stream.write(framed(Buffer.alloc(mebibyte)));
    await received.promise;
    stream.close(constants.NGHTTP2_CANCEL);
    await gone.promise;
  });

  it('is held back by a client that does not read', async () => {
    const gone = deferred<unknown>();
    let sent = 0;
    const { open } = await serve(async (call) => {
      await call.next();
      try {
        for (; sent < 100; sent += 1) await call.send(Buffer.alloc(mebibyte));
      } catch (error) {
        gone.resolve(error);
      }
    });
    const stream = open().pause();
    stream.write(framed(Buffer.from('x')));
    await once(stream, 'response');
    await settle();
    expect(sent).toBe(0);
    stream.close(constants.NGHTTP2_CANCEL);
    expect(await gone.promise).toMatchObject({ status: 'cancelled' });
  });

  it('lets calls that are under way come to their end, and the others only a moment', async () => {
    const clock = createFakeClock();
    const received = deferred<void>();
    const gone = deferred<void>();
    const { open, server } = await serve(async (call) => {
      call.onGone(gone.resolve);
      await call.next();
      received.resolve();
      await gone.promise;
    }, clock);
    open().write(framed(Buffer.from('x')));
    await received.promise;
    const closing = server.close();
    await settle();
    await clock.advance(1_000);
    await closing;
    await gone.promise;
  });

  it('survives who speaks something else', async () => {
    const { open, socket } = await serve(echo);
    const stranger = net.connect(socket);
    stranger.on('error', () => {}).end('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(stranger.resume(), 'close');
    const stream = open();
    stream.end(framed(Buffer.from('x')));
    expect(await result(stream)).toMatchObject({ status: '0' });
  });
});
