import { lstat } from 'node:fs/promises';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import type { Clock } from '../core/clock.ts';
import { systemCodeOf } from '../core/errors.ts';
import { type Method, type PluginMessage, probeMethods } from './probe-proto.ts';

export type { PluginMessage } from './probe-proto.ts';

/** Why nothing useful answers on a socket. */
export interface SocketProblem {
  /**
   * `absent`: no file is there. `foreign`: something else than a socket, or no such service. `denied`: this user may
   * not. `deaf`: nobody listens, or says nothing in time.
   */
  readonly kind: 'absent' | 'foreign' | 'denied' | 'deaf';
  /** In a few words. */
  readonly reason: string;
}

/** A containerd that runs. */
export interface Daemon {
  readonly version: string;
  /** Undefined where it does not tell. */
  readonly contentPlugins: readonly PluginMessage[] | undefined;
}

/** Milliseconds for one answer. */
const answerWithinMs = 3_000;
/** What the kernel takes for the path of a socket; Node cuts longer ones in silence. */
const maxSocketPathBytes = 107;

export interface ProbeOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Whether a content service answers there. Asks about a transfer that does not exist, which changes nothing. */
export async function probeContentService(
  socket: string,
  options: ProbeOptions,
): Promise<SocketProblem | undefined> {
  const problem = await lookAt(socket);
  if (problem) return problem;
  return await withClient(socket, async (client) => {
    const { contentStatus } = probeMethods();
    const answer = await ask(client, contentStatus, { ref: 'layerpull-doctor' }, options);
    if ('reply' in answer || answer.error.code === status.NOT_FOUND) return undefined;
    return toProblem(answer.error);
  });
}

/** What a containerd says of itself. */
export async function probeDaemon(
  socket: string,
  options: ProbeOptions,
): Promise<Daemon | { readonly problem: SocketProblem }> {
  const problem = await lookAt(socket);
  if (problem) return { problem };
  return await withClient(socket, async (client) => {
    const methods = probeMethods();
    const version = await ask(client, methods.version, {}, options);
    if ('error' in version) return { problem: toProblem(version.error) };
    const filters = ['type==io.containerd.content.v1'];
    const plugins = await ask(client, methods.plugins, { filters }, options);
    return {
      version: (version.reply as { version: string }).version,
      contentPlugins:
        'reply' in plugins ? (plugins.reply as { plugins: PluginMessage[] }).plugins : undefined,
    };
  });
}

async function lookAt(socket: string): Promise<SocketProblem | undefined> {
  if (Buffer.byteLength(socket) > maxSocketPathBytes) {
    return {
      kind: 'foreign',
      reason: `its path is longer than the ${maxSocketPathBytes} bytes that sockets may have`,
    };
  }
  try {
    const stats = await lstat(socket);
    return stats.isSocket() || stats.isSymbolicLink()
      ? undefined
      : { kind: 'foreign', reason: 'it is no socket' };
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === 'EACCES') return { kind: 'denied', reason: 'permission denied' };
    return { kind: 'absent', reason: 'it is not there' };
  }
}

async function withClient<T>(socket: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client(`unix:${socket}`, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
  });
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

type Answer = { readonly reply: object } | { readonly error: ServiceError };

function ask(
  client: Client,
  method: Method,
  request: object,
  { clock, signal }: ProbeOptions,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const call = client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      new Metadata(),
      { deadline: clock.wallNow() + answerWithinMs },
      (error, reply) => {
        signal.removeEventListener('abort', onAbort);
        if (signal.aborted) reject(signal.reason);
        else resolve(error ? { error } : { reply: reply ?? {} });
      },
    );
    const onAbort = () => call.cancel();
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

function toProblem({ code, details }: ServiceError): SocketProblem {
  switch (code) {
    case status.UNIMPLEMENTED:
      return { kind: 'foreign', reason: 'another service answers there' };
    case status.DEADLINE_EXCEEDED:
      return { kind: 'deaf', reason: `no answer within ${answerWithinMs / 1_000} s` };
    case status.UNAVAILABLE:
      return /EACCES/.test(details)
        ? { kind: 'denied', reason: 'permission denied' }
        : { kind: 'deaf', reason: 'nobody listens there' };
    default:
      return { kind: 'foreign', reason: `it answers with ${status[code]}` };
  }
}
