import { certificateNames, ownCodeOf, tlsProblemOf } from '../../../http/tls-problems.ts';
import { TransportError } from '../../../http/transport.ts';

/** What to do about a lock server with which no TLS came about; undefined: that was not it. */
export function hintOfTls(failure: unknown, server: URL): string | undefined {
  const error = failure instanceof TransportError ? failure.cause : failure;
  switch (tlsProblemOf(error)) {
    case 'authority':
      return 'name the authority of its certificate with --tls-ca';
    case 'dates':
      return 'look at the clock, or give the lock server a new certificate';
    case 'host-name':
      return hintOfName(error);
    case 'certificate':
      return 'give the lock server another certificate';
    case 'client-certificate':
      return 'give --tls-cert and --tls-key, a pair whose authority the lock server knows';
    case 'no-tls':
      return `if it speaks without TLS, write http://${server.host} for --server`;
    default:
      return hintOfClear(error, server);
  }
}

function hintOfName(error: unknown): string {
  const names = certificateNames(error);
  return names === ''
    ? 'its certificate names no host: give it another'
    : `its certificate is for ${names}: use such a name`;
}

/** A server that speaks TLS has no answer to a request in clear, or one that is no HTTP. */
function hintOfClear(error: unknown, server: URL): string | undefined {
  const code = ownCodeOf(error) ?? '';
  const mayBe = server.protocol === 'http:' && /^(HPE_|UND_ERR_SOCKET$|ECONNRESET$)/.test(code);
  return mayBe
    ? `check that "layerpull serve" runs there; if it speaks TLS, write https://${server.host} for --server`
    : undefined;
}

/** What to do about a 401. */
export function hintOfDenial(code: string): string {
  switch (code) {
    case 'token_required':
      return 'give the token of the fleet with --token-file';
    case 'token_wrong':
      return 'put one of its tokens into the first line of the file of --token-file';
    case 'certificate_required':
    case 'certificate_refused':
      return 'give --tls-cert and --tls-key, a pair whose authority the lock server knows';
    default:
      return 'see what stands before the lock server, and whether --token-file is needed';
  }
}
