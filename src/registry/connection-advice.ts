import { isLoopback } from '../http/addresses.ts';
import { ProxyError } from '../http/proxy-error.ts';
import { certificateNames, type TlsProblem, tlsProblemOf } from '../http/tls-problems.ts';

/** What to do about a connection that failed, and whether another try can help. */
export interface ConnectionAdvice {
  readonly hint: string;
  readonly retryable: boolean;
}

export function adviceFor(url: URL, cause: unknown): ConnectionAdvice {
  const problem = tlsProblemOf(cause);
  if (problem !== undefined) return { hint: tlsHints[problem](url, cause), retryable: false };
  if (cause instanceof ProxyError) return proxyAdvice(cause);
  if (isParserError(cause)) return { hint: notHttpHint(url), retryable: false };
  return { hint: 'look at the registry, its name, and the network', retryable: true };
}

const tlsHints: Readonly<Record<TlsProblem, (url: URL, cause: unknown) => string>> = {
  authority: ({ host }) =>
    `its certificate is not trusted: name its authority with --ca-cert FILE, or put it into ${host}/ca.crt below --cert-dir DIR`,
  dates: () =>
    'its certificate is not valid today: look at the clock of this machine, and renew the certificate',
  'host-name': (_url, cause) =>
    `its certificate is for ${certificateNames(cause) || 'another name'}: use a name that the certificate has`,
  certificate: () => 'its certificate cannot be used; --ca-cert and --cert-dir say whom to trust',
  'client-certificate': howToShowCertificate,
  'no-tls': () => 'if it speaks plain http, use --plain-http',
};

function proxyAdvice({ problem, from, status = 0 }: ProxyError): ConnectionAdvice {
  if (problem === 'credentials') {
    return { hint: `write them into ${from}, as http://USER:PASSWORD@HOST:PORT`, retryable: false };
  }
  const hint = `look at ${from}; NO_PROXY names hosts that are reached without the proxy`;
  return { hint, retryable: problem === 'unreachable' || status >= 500 };
}

/** undici gives these no code of their own. */
function isParserError(cause: unknown): boolean {
  return cause instanceof Error && cause.name === 'HTTPParserError';
}

function notHttpHint(url: URL): string {
  return `it does not speak http; ${howToSpeakHttps(url)}`;
}

/** For a server that wants a certificate of the client. */
export function howToShowCertificate({ host }: URL): string {
  return `it asks for a certificate of yours that it knows: put NAME.cert and NAME.key into ${host}/ below --cert-dir DIR`;
}

/** For a server that wants https and was spoken to in http. */
export function howToSpeakHttps({ hostname }: URL): string {
  if (!isLoopback(hostname)) return 'if it speaks https, leave out --plain-http';
  return 'if it speaks https, use --ca-cert, --cert-dir or --insecure-skip-tls-verify: without one, registries on this machine are asked in http';
}
