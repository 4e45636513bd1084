import type { MethodDefinition } from '@grpc/grpc-js';
import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { GrpcCall } from './grpc/call.ts';
import { joined, type Message } from './grpc/frames.ts';
import type { Handler } from './grpc/server.ts';
import type { WriteRequest, WriteResponse } from './proto/messages.ts';
import { contentService } from './proto/service-definition.ts';
import { readWrite } from './proto/write-message.ts';
import { type GrpcFailure, Refusal, statusOf, toFailure } from './refusal.ts';
import type { ContentCalls } from './service.ts';
import type { WriteSession } from './write-session.ts';
import type { Writers } from './writers.ts';

export interface CallParts {
  readonly calls: ContentCalls;
  readonly writers: Writers;
  readonly log: Log;
}

type RequestOf<Name extends keyof ContentCalls> = Parameters<ContentCalls[Name]>[0];

/** The service as gRPC wants it, by the paths of its calls. */
export function contentHandlers({ calls, writers, log }: CallParts): ReadonlyMap<string, Handler> {
  const service = contentService();
  const handlers = new Map<string, Handler>();
  const serve = <Request, Response extends object>(name: string, work: Work<Request, Response>) => {
    const method = service[name] as MethodDefinition<Request, Response> | undefined;
    if (!method) throw new Error(`the content service has no ${name}`);
    handlers.set(method.path, handlerOf(name, work, method, log));
  };
  serve(
    'Info',
    unary((request: RequestOf<'info'>) => calls.info(request)),
  );
  serve(
    'Update',
    unary((request: RequestOf<'update'>) => calls.update(request)),
  );
  serve(
    'List',
    streaming((request: RequestOf<'list'>) => calls.list(request)),
  );
  serve(
    'Delete',
    unary((request: RequestOf<'delete'>) => calls.delete(request)),
  );
  serve(
    'Read',
    streaming((request: RequestOf<'read'>) => calls.read(request)),
  );
  serve(
    'Status',
    unary((request: RequestOf<'status'>) => calls.status(request)),
  );
  serve(
    'ListStatuses',
    unary((request: RequestOf<'listStatuses'>) => calls.listStatuses(request)),
  );
  serve('Write', (call: Served<WriteRequest, WriteResponse>) => serveWrite(call, writers));
  serve(
    'Abort',
    unary((request: RequestOf<'abort'>) => calls.abort(request)),
  );
  return handlers;
}

/** A call, and its messages as they are read and written. */
interface Served<Request, Response> {
  readonly call: GrpcCall;
  read(bytes: Buffer): Request;
  send(response: Response): Promise<void>;
  /** Ends it, with what failed. */
  fail(error: unknown): void;
}

type Work<Request, Response> = (served: Served<Request, Response>) => Promise<void>;

function handlerOf<Request, Response extends object>(
  name: string,
  work: Work<Request, Response>,
  { requestDeserialize, responseSerialize }: MethodDefinition<Request, Response>,
  log: Log,
): Handler {
  return async (call) => {
    const fail = (error: unknown) => {
      if (!call.isOver) call.end(told(log, name, error));
    };
    try {
      await work({
        ...{ call, fail },
        read: (bytes) => readable(() => requestDeserialize(bytes)),
        send: (response) => call.send(responseSerialize(response)),
      });
      call.end();
    } catch (error) {
      fail(error);
    }
  };
}

function unary<Request, Response>(work: (request: Request) => Promise<Response>): Work<Request, Response> {
  return async ({ call, read, send }) => await send(await work(read(await onlyMessage(call))));
}

function streaming<Request, Response>(
  work: (request: Request) => AsyncIterable<Response>,
): Work<Request, Response> {
  return async ({ call, read, send }) => {
    for await (const response of work(read(await onlyMessage(call)))) await send(response);
  };
}

/** One answer for each message, in their order: the client's next message is taken when the last one is dealt with. */
async function serveWrite(
  { call, read, send, fail }: Served<WriteRequest, WriteResponse>,
  writers: Writers,
): Promise<void> {
  let session: WriteSession | undefined;
  // Also while a message waits for room: whoever went away holds nobody up.
  call.onGone(() => void session?.close().catch(() => {}));
  try {
    for (let message = await call.next(); message; message = await call.next()) {
      const request = readable(() => readWrite(message as Message, read));
      session ??= await writers.open(request, fail);
      if (call.isOver) break;
      await send(await session.answer(request));
      if (request.action === 'COMMIT') break;
    }
  } catch (error) {
    await session?.close().catch(() => {});
    throw error;
  }
  // Whoever sees the end may open the ref again.
  await session?.close();
}

async function onlyMessage(call: GrpcCall): Promise<Buffer> {
  const message = await call.next();
  if (!message) throw new Refusal('internal', 'there is no request');
  return joined(message);
}

/** @throws Refusal `internal` in place of what a reader of messages throws */
function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Refusal('internal', `the request cannot be read: ${messageOf(error)}`);
  }
}

/** What is not there, and what is to be asked again, is no event; what failed here is one. */
function told(log: Log, name: string, error: unknown): GrpcFailure {
  const failure = toFailure(error);
  const isOurs = statusOf(error) === 'internal' || statusOf(error) === 'resourceExhausted';
  log[isOurs ? 'warn' : 'debug'](
    { call: name, status: statusOf(error), reason: messageOf(error) },
    'call failed',
  );
  return failure;
}
