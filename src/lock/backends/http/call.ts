import type * as v from 'valibot';
import type { Servers } from '../../../http/servers.ts';
import type { ShortClient, ShortReply, ShortRequest } from '../../../http/short.ts';
import { ReplyTooLong } from '../../../http/transport.ts';
import { parse } from '../../protocol/parse.ts';
import type { Label } from './errors.ts';
import { callError, protocolError, replyError } from './errors.ts';

/** Bytes of the longest reply that may list many entries: snapshots, queues, resources. */
export const maxListBytes = 4 * 1_048_576;

/** Requests to a lock server whose failures are the errors that `Locks` promises. */
export interface Caller {
  /** Any reply, whatever its status. */
  send(request: ShortRequest): Promise<ShortReply>;
  /** The body of a 200, checked. */
  ask<S extends v.GenericSchema>(request: ShortRequest, schema: S): Promise<v.InferOutput<S>>;
  /** The same for a reply that is there already. */
  read<S extends v.GenericSchema>(request: ShortRequest, reply: ShortReply, schema: S): v.InferOutput<S>;
  /** The error that a reply means. */
  refusal(request: ShortRequest, reply: ShortReply): Error;
}

export function createCaller(short: ShortClient, servers: Servers, label: Label): Caller {
  const send = async (request: ShortRequest) => {
    try {
      return await short.send(request);
    } catch (error) {
      if (error instanceof ReplyTooLong)
        throw protocolError(label, what(request), servers.current(), error.message);
      throw callError(label, servers.current(), error, request.signal);
    }
  };
  const refusal = (request: ShortRequest, reply: ShortReply) => replyError(label, what(request), reply);
  const read: Caller['read'] = (request, reply, schema) => {
    if (reply.status !== 200) throw refusal(request, reply);
    const parsed = parse(schema, reply.body);
    if (parsed.ok) return parsed.value;
    throw protocolError(label, what(request), reply.server, parsed.problem);
  };
  return { send, read, refusal, ask: async (request, schema) => read(request, await send(request), schema) };
}

function what({ method, path }: ShortRequest): string {
  return `${method} ${path.replace(/\?.*$/, '').replace(/^\/sessions\/.*/, '/sessions/ID')}`;
}
