import { isLayerpullError, LayerpullError, messageOf } from '../../../core/errors.ts';
import type { ShortReply } from '../../../http/short.ts';
import { TransportError, transportProblem } from '../../../http/transport.ts';
import { parse } from '../../protocol/parse.ts';
import { errorSchema } from '../../protocol/replies.ts';
import { hintOfDenial, hintOfTls } from './trust-hints.ts';

/** How messages speak of the other side: a lock server, or the process that coordinates a store. */
export interface Label {
  name(server: URL): string;
  /** What to do when it cannot be reached. */
  readonly hint: string;
}

export function labelOf(socketPath: string | undefined): Label {
  if (socketPath !== undefined) {
    return {
      name: () => `the coordinator at ${socketPath}`,
      hint: 'the layerpull process that coordinated this store has ended; try again',
    };
  }
  return {
    name: (server) => `the lock server ${server.href.replace(/\/$/, '')}`,
    hint: 'check that "layerpull serve" runs there and that --server names it',
  };
}

/** What a call that brought no reply ends with. An abort keeps its reason. */
export function callError(
  label: Label,
  server: URL,
  error: unknown,
  signal: AbortSignal | undefined,
): unknown {
  if (signal?.aborted) return signal.reason;
  if (isLayerpullError(error)) return error;
  const reached = error instanceof TransportError ? error.server : server;
  const said = error instanceof TransportError ? messageOf(error) : transportProblem(error);
  const problem = `${said}${lastOf(error instanceof TransportError ? error.tried : undefined)}`;
  return new LayerpullError('lock_unreachable', `cannot reach ${label.name(reached)}: ${problem}`, {
    hint: hintOfTls(error, reached) ?? label.hint,
    cause: error,
  });
}

/** Nobody is left to be asked. */
function lastOf(tried = 1): string {
  return tried > 1 ? ` (the last of ${tried} lock servers that were tried)` : '';
}

/** What a reply that refuses, or that nobody asked for, means. `what` is the request, such as `POST /lock`. */
export function replyError(label: Label, what: string, reply: ShortReply): LayerpullError {
  const { status, server } = reply;
  const parsed = parse(errorSchema, reply.body);
  const said = parsed.ok ? (parsed.value.message ?? parsed.value.error) : undefined;
  if (status === 404 && parsed.ok && parsed.value.code === 'session_unknown') {
    return new LayerpullError('session_unknown', said ?? 'the lock server does not know this session');
  }
  if (status >= 500) {
    const message = `${label.name(server)} failed ${what} with status ${status}${said ? `: ${said}` : ''}${lastOf(reply.tried)}`;
    const hint = `see the ${(reply.tried ?? 1) > 1 ? 'logs of the lock servers' : 'log of the lock server'}`;
    return new LayerpullError('lock_unreachable', message, { hint });
  }
  if (status === 401) {
    const message = `${label.name(server)} denied ${what}: ${said ?? 'status 401'}${lastOf(reply.tried)}`;
    return new LayerpullError('lock_denied', message, {
      hint: hintOfDenial(parsed.ok ? (parsed.value.code ?? '') : ''),
    });
  }
  if (status === 403 || status === 413) {
    return new LayerpullError(
      'lock_refused',
      `${label.name(server)} refused ${what}: ${said ?? `status ${status}`}`,
    );
  }
  return protocolError(label, what, server, said ?? `status ${status}`);
}

/** The other side does not speak the protocol. */
export function protocolError(label: Label, what: string, server: URL, problem: string): LayerpullError {
  return new LayerpullError(
    'lock_protocol',
    `${label.name(server)} answered ${what} with something else: ${problem}`,
    {
      hint: 'check that --server names a layerpull lock server of about this version',
    },
  );
}
