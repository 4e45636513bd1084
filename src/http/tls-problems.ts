/** What can be wrong between two sides that speak TLS, or should. */
export type TlsProblem =
  | 'authority'
  | 'dates'
  | 'host-name'
  | 'certificate'
  | 'client-certificate'
  | 'no-tls';

const problems: readonly (readonly [codes: RegExp, problem: TlsProblem])[] = [
  [/^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_UNTRUSTED|CERT_SIGNATURE_FAILURE|INVALID_CA)/, 'authority'],
  [/^(CERT_HAS_EXPIRED|CERT_NOT_YET_VALID)$/, 'dates'],
  [/^(ERR_TLS_CERT_ALTNAME_|HOSTNAME_MISMATCH)/, 'host-name'],
  [/^(CERT_|ERR_TLS_CERT|PATH_LENGTH_EXCEEDED|INVALID_PURPOSE|CRL_)/, 'certificate'],
  // How the other side says that it does not take our certificate, or that it wants one.
  [
    /^ERR_SSL_.*ALERT_(BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED)/,
    'client-certificate',
  ],
  [/^(ERR_SSL_WRONG_VERSION_NUMBER|ERR_SSL_PACKET_LENGTH_TOO_LONG|ERR_SSL_HTTP_REQUEST|EPROTO)$/, 'no-tls'],
];

/** Undefined: not about TLS, as far as one can tell. */
export function tlsProblemOf(error: unknown): TlsProblem | undefined {
  return tlsProblemOfCode(ownCodeOf(error) ?? '');
}

export function tlsProblemOfCode(code: string): TlsProblem | undefined {
  return problems.find(([codes]) => codes.test(code))?.[1];
}

/** The names that a refused certificate is for, such as `registry.example, 10.0.0.1`; empty: it does not say. */
export function certificateNames(error: unknown): string {
  if (!(error instanceof Error && 'cert' in error)) return '';
  const { cert } = error;
  if (typeof cert !== 'object' || cert === null || !('subjectaltname' in cert)) return '';
  // Whoever answers there wrote it.
  const text = String(cert.subjectaltname)
    .slice(0, 1_000)
    .replace(/(DNS|IP Address):/g, '');
  return text.replace(/[^\w.*:, -]/g, '?').slice(0, 200);
}

/** The first code in the chain of causes, of whatever kind. */
export function ownCodeOf(value: unknown): string | undefined {
  for (let error = value, depth = 0; error instanceof Error && depth < 8; error = error.cause, depth += 1) {
    if ('code' in error && typeof error.code === 'string') return error.code;
  }
  return undefined;
}
