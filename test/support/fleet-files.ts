import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Authority, type Certificate, createAuthority } from './certificates.ts';
import { tempDir } from './temp.ts';

/** The files of a fleet in a folder of their own. */
export interface FleetFiles {
  readonly dir: string;
  readonly tokenFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
  /** For the command line. */
  readonly token: readonly string[];
  readonly pair: readonly string[];
  readonly ca: readonly string[];
  writeTokens(...tokens: readonly string[]): void;
  writePair(pair: Certificate): void;
}

export const fleetAuthority: Authority = createAuthority('Fleet Authority');
export const localNames = ['127.0.0.1', 'localhost'] as const;

/** One token, and a pair for this machine of `authority`. */
export function fleetFiles(authority: Authority = fleetAuthority, token = 'token-one'): FleetFiles {
  const dir = tempDir();
  const at = (name: string) => path.join(dir, name);
  const [tokenFile, certFile, keyFile, caFile] = [at('token'), at('node.crt'), at('node.key'), at('ca.pem')];
  const files: FleetFiles = {
    ...{ dir, tokenFile, certFile, keyFile, caFile },
    token: ['--token-file', tokenFile],
    pair: ['--tls-cert', certFile, '--tls-key', keyFile],
    ca: ['--tls-ca', caFile],
    writeTokens: (...tokens) => writeSecret(tokenFile, `${tokens.join('\n')}\n`),
    writePair: ({ cert, key }) => {
      writeFileSync(certFile, cert);
      writeSecret(keyFile, key);
    },
  };
  files.writeTokens(token);
  files.writePair(authority.issue({ names: localNames }));
  writeFileSync(caFile, authority.cert);
  return files;
}

export function writeSecret(file: string, text: string): void {
  writeFileSync(file, text, { mode: 0o600 });
  chmodSync(file, 0o600);
}
