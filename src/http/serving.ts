import { constants } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerOptions } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type SecureContextOptions, TLSSocket } from 'node:tls';
import { createTokenCheck } from './bearer.ts';
import type { FleetTrust } from './fleet-trust.ts';
import { tlsProblemOfCode } from './tls-problems.ts';

/** Why a request is not answered, for a 401 with `WWW-Authenticate: CHALLENGE`. */
export interface ServingRefusal {
  readonly code: 'token_required' | 'token_wrong' | 'certificate_required' | 'certificate_refused';
  readonly message: string;
  readonly challenge: string;
}

/** How one server speaks with its clients: in clear or over TLS, with everyone or with those it knows. */
export interface Serving {
  readonly scheme: 'http' | 'https';
  /** Whether only clients are served that show who they are. */
  readonly asks: boolean;
  /**
   * A server that is not listening yet. Over TLS its connections are ready with the event `secureConnection`, and new
   * ones get the certificates that are valid then.
   */
  createServer(options: ServerOptions & { readonly handshakeTimeout?: number }): Server;
  /** To be asked for each request before anything of it is used; undefined: it may pass. */
  refuse(request: IncomingMessage): ServingRefusal | undefined;
  /** Forgets the servers it made. Idempotent. */
  close(): void;
}

/** For sockets and loopback addresses: in clear, with everyone. */
export const openServing: Serving = {
  scheme: 'http',
  asks: false,
  createServer: (options) => createServer(options),
  refuse: () => undefined,
  close: () => {},
};

export function createServing(trust: FleetTrust): Serving {
  const { pair, ca, tokens } = trust.secrets();
  const checkToken = createTokenCheck(() => trust.secrets().tokens);
  const servers = new Set<ReturnType<typeof createTlsServer>>();
  const stop = trust.onChange(() => {
    for (const server of servers) server.setSecureContext(contextOf(trust));
  });
  const asksCertificate = pair !== undefined && ca !== undefined;
  const asksToken = tokens.length > 0;
  return {
    scheme: pair ? 'https' : 'http',
    asks: asksCertificate || asksToken,
    createServer(options) {
      if (!pair) return createServer(options);
      // Those without a certificate are let as far as to be told so, and to the routes that are for everyone.
      const asking = { requestCert: asksCertificate, rejectUnauthorized: false };
      const server = createTlsServer({ ...options, ...contextOf(trust), ...asking });
      servers.add(server);
      server.once('close', () => servers.delete(server));
      return server;
    },
    refuse(request) {
      const certificate = asksCertificate ? certificateFault(request) : undefined;
      if (certificate) return certificate;
      const token = asksToken ? checkToken(request) : undefined;
      return token && tokenFaults[token];
    },
    close() {
      stop();
      servers.clear();
    },
  };
}

/** Without tickets: who comes back with one shows no certificate, and Node calls that authorized. */
function contextOf(trust: FleetTrust): SecureContextOptions {
  const { pair, ca } = trust.secrets();
  return { ...pair, ...(ca === undefined ? {} : { ca, secureOptions: constants.SSL_OP_NO_TICKET }) };
}

const bearer = 'Bearer realm="layerpull"';

const tokenFaults = {
  missing: {
    code: 'token_required',
    message: 'a token is needed: send it as "Authorization: Bearer TOKEN"',
    challenge: bearer,
  },
  wrong: {
    code: 'token_wrong',
    message: 'the token is not one of those that are valid here',
    challenge: `${bearer}, error="invalid_token"`,
  },
} as const satisfies Record<string, ServingRefusal>;

/** A certificate has to have come over this very connection, and to be of one of our authorities. */
function certificateFault({ socket }: IncomingMessage): ServingRefusal | undefined {
  if (socket instanceof TLSSocket && socket.getPeerX509Certificate() !== undefined) {
    if (socket.authorized) return undefined;
    // Typed as an Error; it is the code of one.
    const why = certificateProblem(String(socket.authorizationError));
    return {
      code: 'certificate_refused',
      message: `the certificate of the client ${why}`,
      challenge: bearer,
    };
  }
  const message = 'a certificate of the client is needed, of an authority that this server knows';
  return { code: 'certificate_required', message, challenge: bearer };
}

function certificateProblem(code: string): string {
  switch (tlsProblemOfCode(code)) {
    case 'authority':
      return 'is of an authority that this server does not know';
    case 'dates':
      return code === 'CERT_HAS_EXPIRED' ? 'has expired' : 'is not valid yet';
    default:
      return `is not accepted: ${code.replace(/[^\w -]/g, '?').slice(0, 100)}`;
  }
}
