import { join, resolve } from 'node:path';
import { type GivenFlags, type Machine, readSwitch, setting, usage } from './values.ts';

/** Whom to trust over TLS, and where our own certificates are. Every path is absolute. */
export interface TlsConfig {
  /** PEM files of authorities for every registry, beside those of the system. */
  readonly caFiles: readonly string[];
  /** `--cert-dir`: must exist. */
  readonly certDir: string | undefined;
  /** Looked at after it, and need not exist. */
  readonly moreCertDirs: readonly string[];
  readonly skipVerify: boolean;
  /** Where the system's authorities may be; the first that exists counts. */
  readonly systemCaFiles: readonly string[];
  /** `NODE_EXTRA_CA_CERTS`, which Node forgets as soon as it is told of other authorities. */
  readonly extraCaFile: string | undefined;
}

/** The files that Go's programs read, docker and skopeo among them; `SSL_CERT_FILE` comes in their place. */
const systemCaFiles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** @throws LayerpullError `usage` */
export function readTlsConfig(flags: GivenFlags, machine: Machine): TlsConfig {
  const { SSL_CERT_FILE: systemFile, NODE_EXTRA_CA_CERTS: extraFile } = machine.env;
  return {
    caFiles: readFiles('ca-cert', flags, machine),
    certDir: readFolder('cert-dir', flags, machine),
    moreCertDirs: usualCertDirs(machine),
    skipVerify: readSwitch('insecure-skip-tls-verify', flags, machine),
    systemCaFiles: systemFile ? [resolve(machine.workingDirectory, systemFile)] : systemCaFiles,
    extraCaFile: extraFile ? resolve(machine.workingDirectory, extraFile) : undefined,
  };
}

/** Those of podman and docker, the user's before the machine's. */
function usualCertDirs({ env, home }: Machine): string[] {
  const given = env['XDG_CONFIG_HOME'];
  // The XDG specification: a relative path is invalid and is ignored.
  const own = given?.startsWith('/') ? given : join(home, '.config');
  return [
    join(own, 'containers', 'certs.d'),
    '/etc/containers/certs.d',
    join(own, 'docker', 'certs.d'),
    '/etc/docker/certs.d',
  ];
}

/** `FILE[,FILE]`. */
function readFiles(name: string, flags: GivenFlags, machine: Machine): string[] {
  const given = setting(name, flags, machine);
  if (!given) return [];
  const files = given.text.split(',').map((file) => file.trim());
  if (files.includes('')) throw usage(given, 'names no file', 'give FILE, several separated by commas');
  return files.map((file) => resolve(machine.workingDirectory, file));
}

function readFolder(name: string, flags: GivenFlags, machine: Machine): string | undefined {
  const given = setting(name, flags, machine);
  if (!given) return undefined;
  if (given.text.trim() === '') throw usage(given, 'names no directory', 'give the path of a directory');
  return resolve(machine.workingDirectory, given.text);
}
