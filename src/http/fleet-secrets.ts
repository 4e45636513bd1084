import { X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { bad, type ClientCertificate, readAuthorities, readPair } from './certificates.ts';
import { modeNotice } from './secret-mode.ts';
import { readTokenFile } from './token-file.ts';
import { transportProblem } from './transport.ts';

/** Where a fleet's secrets are. Paths are absolute. */
export interface TrustFiles {
  readonly tokenFile?: string | undefined;
  readonly pair?: { readonly certFile: string; readonly keyFile: string } | undefined;
  readonly caFile?: string | undefined;
}

export interface FleetSecrets {
  /** Empty: no token is asked for, and none is sent. */
  readonly tokens: readonly string[];
  readonly pair: ClientCertificate | undefined;
  /** PEM. */
  readonly ca: string | undefined;
  /** What people should know about the files, at that time (milliseconds since the Unix epoch). */
  notices(nowMs: number): string[];
}

/** @throws LayerpullError `usage` for a file that cannot be read or used */
export function readSecrets({ tokenFile, pair, caFile }: TrustFiles): FleetSecrets {
  const tokens = tokenFile === undefined ? undefined : readTokenFile(tokenFile);
  const own = pair && readPair(pair.certFile, pair.keyFile, { certFrom: '--tls-cert', keyFrom: '--tls-key' });
  const ca = caFile === undefined ? undefined : readAuthorities(caFile, '--tls-ca');
  if (pair && own) requireUsable(pair.certFile, own);
  const keyNotice = pair && modeNotice(pair.keyFile, statSync(pair.keyFile), '--tls-key');
  return {
    tokens: tokens?.tokens ?? [],
    pair: own,
    ca,
    notices: (nowMs) => {
      const dates = pair && own ? dateNotice(pair.certFile, own.cert, nowMs) : undefined;
      return [tokens?.notice, keyNotice, dates].filter((notice) => notice !== undefined);
    },
  };
}

/** What TLS itself refuses, such as a key that is too short: said now, and not with the first connection. */
function requireUsable(certFile: string, own: ClientCertificate): void {
  try {
    createSecureContext({ ...own });
  } catch (error) {
    const problem = `cannot be used for TLS: ${transportProblem(error)}`;
    throw bad(certFile, problem, 'give another pair of a certificate and its key', '--tls-cert', error);
  }
}

function dateNotice(file: string, cert: string, nowMs: number): string | undefined {
  const { validFrom, validTo } = new X509Certificate(cert);
  if (nowMs > Date.parse(validTo)) {
    return `--tls-cert: ${file} has expired on ${validTo}: others refuse it until there is a new one`;
  }
  if (nowMs >= Date.parse(validFrom)) return undefined;
  return `--tls-cert: ${file} is not valid before ${validFrom}: others refuse it until then, so look at the clock`;
}
