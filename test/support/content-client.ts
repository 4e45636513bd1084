import {
  Client,
  credentials,
  InterceptingCall,
  type Interceptor,
  type MethodDefinition,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import type {
  InfoMessage,
  ReadResponse,
  StatusMessage,
  WriteRequest,
  WriteResponse,
} from '../../src/containerd/proto/messages.ts';
import { contentService } from '../../src/containerd/proto/service-definition.ts';
import { type Deferred, deferred } from '../../src/core/abort.ts';
import { onCleanup } from './cleanup.ts';

type Labels = Readonly<Record<string, string>>;

/** One stream of Write, as containerd uses it: a message, its answer, the next message. */
export interface TestWriter {
  send(message: Partial<WriteRequest>): Promise<WriteResponse>;
  /** Sends without waiting for an answer. Answers false when there is no room. */
  push(message: Partial<WriteRequest>): boolean;
  stat(): Promise<WriteResponse>;
  /** At the offset reached. */
  write(data: Uint8Array): Promise<WriteResponse>;
  truncate(): void;
  commit(message?: Partial<WriteRequest>): Promise<WriteResponse>;
  /** Says that no more comes, and waits until the server has ended the stream. */
  close(): Promise<void>;
  /** Goes away in the middle. */
  cancel(): void;
  /** Resolves to the name of the code with which the server ended the stream. */
  readonly ended: Promise<string>;
  offset(): number;
}

export interface ContentClient {
  info(digest: string): Promise<InfoMessage>;
  update(digest: string, labels: Labels, paths?: readonly string[]): Promise<InfoMessage>;
  list(...filters: string[]): Promise<InfoMessage[]>;
  delete(digest: string): Promise<void>;
  read(digest: string, offset?: number, size?: number): Promise<ReadResponse[]>;
  readAll(digest: string): Promise<Buffer>;
  status(ref: string): Promise<StatusMessage>;
  listStatuses(...filters: string[]): Promise<StatusMessage[]>;
  abort(ref: string): Promise<void>;
  /** Opens a stream; nothing is sent. */
  stream(): TestWriter;
  /** Opens a stream and sends the first message, as containerd's client does. */
  writer(ref: string, first?: Partial<WriteRequest>): Promise<TestWriter>;
  /** Any call, with any message. */
  call(method: string, request: object): Promise<object>;
  close(): void;
}

const largest = 20 * 1_048_576;

/**
 * A client of the content service on a socket. It ends with the test.
 *
 * @param namespace of containerd, where containerd itself is asked
 */
export function createContentClient(socket: string, namespace?: string): ContentClient {
  const service = contentService();
  const client = new Client(`unix:${socket}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': largest,
    'grpc.max_send_message_length': largest,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_retries': 0,
    interceptors: namespace === undefined ? [] : [naming(namespace)],
  });
  onCleanup(() => client.close());
  const method = (name: string) => methodOf(service, name);
  const call = (name: string, request: object) => unary(client, method(name), request);
  const many = <Response>(name: string, request: object) => all<Response>(client, method(name), request);
  const stream = () => openWriter(client, method('Write'));
  const content: ContentClient = {
    info: async (digest) => ((await call('Info', { digest })) as { info: InfoMessage }).info,
    update: async (digest, labels, paths = []) =>
      ((await call('Update', { info: { digest, labels }, updateMask: { paths } })) as { info: InfoMessage })
        .info,
    list: async (...filters) =>
      (await many<{ info: InfoMessage[] }>('List', { filters })).flatMap(({ info }) => info),
    delete: async (digest) => void (await call('Delete', { digest })),
    read: (digest, offset = 0, size = 0) => many<ReadResponse>('Read', { digest, offset, size }),
    readAll: async (digest) => Buffer.concat((await content.read(digest)).map(({ data }) => data)),
    status: async (ref) => ((await call('Status', { ref })) as { status: StatusMessage }).status,
    listStatuses: async (...filters) =>
      ((await call('ListStatuses', { filters })) as { statuses: StatusMessage[] }).statuses,
    abort: async (ref) => void (await call('Abort', { ref })),
    stream,
    async writer(ref, first = {}) {
      const writer = stream();
      await writer.send({ action: 'STAT', ref, ...first });
      return writer;
    },
    call,
    close: () => client.close(),
  };
  return content;
}

/** containerd wants every call to name one. */
function naming(namespace: string): Interceptor {
  return (options, next) =>
    new InterceptingCall(next(options), {
      start: (metadata, listener, start) => {
        metadata.set('containerd-namespace', namespace);
        start(metadata, listener);
      },
    });
}

type Method = MethodDefinition<object, object>;

function methodOf(service: ReturnType<typeof contentService>, name: string): Method {
  const definition = service[name];
  if (!definition) throw new Error(`the content service has no ${name}`);
  return definition as Method;
}

/** The name of the code, such as NOT_FOUND, is the `message` of nothing: tests match it as `code`. */
function named(error: Partial<ServiceError>): Error {
  const name = Object.entries(status).find(([, value]) => value === error.code)?.[0] ?? 'UNKNOWN';
  return Object.assign(new Error(error.details ?? error.message ?? ''), { code: name });
}

function unary(client: Client, { path, requestSerialize, responseDeserialize }: Method, request: object) {
  return new Promise<object>((resolve, reject) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, reply) => {
      if (error || !reply) reject(named(error ?? {}));
      else resolve(reply);
    });
  });
}

async function all<Response>(client: Client, definition: Method, request: object): Promise<Response[]> {
  const { path, requestSerialize, responseDeserialize } = definition;
  const stream = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
  const responses: Response[] = [];
  try {
    for await (const response of stream) responses.push(response);
  } catch (error) {
    throw named(error as ServiceError);
  }
  return responses;
}

function openWriter(client: Client, { path, requestSerialize, responseDeserialize }: Method): TestWriter {
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  const waiting: Deferred<WriteResponse>[] = [];
  const ended = deferred<string>();
  let failure: Error | undefined;
  let offset = 0;
  stream.on('data', (response: WriteResponse) => {
    offset = response.offset;
    waiting.shift()?.resolve(response);
  });
  stream.on('error', () => {});
  stream.on('status', (found: Partial<ServiceError>) => {
    failure = named(found);
    for (const one of waiting.splice(0)) one.reject(failure);
    ended.resolve(String(Object(failure).code));
  });
  const send = async (message: Partial<WriteRequest>) => {
    if (failure) throw failure;
    const reply = deferred<WriteResponse>();
    waiting.push(reply);
    stream.write(message);
    return await reply.promise;
  };
  return {
    send,
    push: (message) => stream.write(message),
    stat: () => send({ action: 'STAT' }),
    write: (data) => send({ action: 'WRITE', offset, data }),
    truncate: () => {
      offset = 0;
    },
    commit: (message = {}) => send({ action: 'COMMIT', offset, ...message }),
    close: async () => {
      stream.end();
      await ended.promise;
    },
    cancel: () => stream.cancel(),
    ended: ended.promise,
    offset: () => offset,
  };
}
