import type { IncomingMessage, Server, ServerOptions } from 'node:http';
import { readCaller, readCredential } from './mirror-caller.ts';
import type { Caller } from './mirror-port.ts';

/** How a mirror speaks with its clients: in clear or over TLS, with everyone or with those it knows. */
export interface MirrorDoor {
  readonly scheme: 'http' | 'https';
  /** A server that is not listening yet. */
  createServer(options: ServerOptions): Server;
  /** Why a request is not answered; undefined: it may pass. */
  refuse(request: IncomingMessage): { readonly message: string } | undefined;
}

/**
 * Who stands at the door. A token of the fleet, shown as `Bearer TOKEN` or, by clients that know no other way, as a
 * password, opens it and goes no further; whatever else is shown is for the registry.
 */
export function admit(
  door: MirrorDoor | undefined,
  request: IncomingMessage,
): { readonly caller: Caller } | { readonly refused: string } {
  const { authorization } = request.headers;
  if (!door?.refuse(showing(request, undefined))) return { caller: readCaller(authorization) };
  const shown = authorization === undefined ? undefined : readCredential(authorization);
  const token = shown?.kind === 'password' ? `Bearer ${shown.password}` : authorization;
  const refusal = door.refuse(showing(request, token));
  return refusal ? { refused: refusal.message } : { caller: {} };
}

/** The same request with another `Authorization`. */
function showing(request: IncomingMessage, authorization: string | undefined): IncomingMessage {
  const { authorization: _, ...headers } = request.headers;
  const { authorization: __, ...headersDistinct } = request.headersDistinct;
  const isShown = authorization !== undefined;
  const copy: IncomingMessage = Object.create(request, {
    headers: { value: { ...headers, ...(isShown ? { authorization } : {}) } },
    headersDistinct: {
      value: { ...headersDistinct, ...(isShown ? { authorization: [authorization] } : {}) },
    },
  });
  return copy;
}
