import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { SecureContext } from 'node:tls';
import {
  bad,
  type HostCertificates,
  listFolder,
  readAuthorities,
  readHostFolder,
  unreadable,
} from './certificates.ts';

/** Whom to trust over TLS, and who we are. Paths are absolute. */
export interface TlsSettings {
  /** PEM files of authorities that are trusted for every host, beside the system's. */
  readonly caFiles?: readonly string[];
  /** A folder with a folder `HOST[:PORT]` for each host; its own `*.crt` are trusted for every host. */
  readonly certDir?: string | undefined;
  /** Such folders that need not exist; looked at after `certDir`, and the first that knows a host counts. */
  readonly moreCertDirs?: readonly string[];
  /** Accept any certificate. Default false. */
  readonly skipVerify?: boolean;
  /** The same for these hosts, `HOST[:PORT]` as in URLs; they may be added until they are asked. */
  readonly insecureHosts?: ReadonlySet<string>;
  /** Where the machine may keep its authorities; the first that exists counts. */
  readonly systemCaFiles?: readonly string[];
  /** More authorities; a file that is not there is passed over. */
  readonly extraCaFile?: string | undefined;
  /** Show no certificate of our own to anybody. Default false. */
  readonly anonymous?: boolean;
}

/** How to speak TLS to some hosts. */
export interface HostTrust {
  /** The same for hosts that are spoken to in the same way. */
  readonly name: string;
  readonly connect: {
    readonly secureContext?: SecureContext;
    readonly rejectUnauthorized: boolean;
  };
}

export interface Trust {
  /** Rejects with LayerpullError `usage` when a file of the host's folder cannot be used. */
  of(url: URL): Promise<HostTrust>;
  /**
   * After `used` did not know the authority of a host: the same with what the machine itself trusts, which is only
   * read then because it takes long. Undefined: nothing is left to try.
   */
  wider(used: HostTrust): Promise<HostTrust | undefined>;
}

/** @throws LayerpullError `usage` when a given file or folder cannot be used */
export function createTrust(settings: TlsSettings): Trust {
  const given = givenAuthorities(settings);
  const rejectUnauthorized = settings.skipVerify !== true;
  const usual: HostTrust = { name: 'usual', connect: { rejectUnauthorized } };
  const named = async (name: string, authorities: readonly string[], own?: HostCertificates) => {
    const secureContext = await contextOf(settings, authorities, own);
    return { name, connect: { rejectUnauthorized, secureContext } };
  };
  const everywhere = once(async () => (given.length === 0 ? usual : await named('given', given)));
  const machine = once(async () =>
    systemAuthorities(settings).length === 0 ? undefined : await named('machine', []),
  );
  const hosts = new Map<string, Promise<HostTrust>>();
  const readStrict = async (host: string): Promise<HostTrust> => {
    const own = certificatesOf(settings, host);
    return own ? await named(`of ${host}`, [...given, ...own.authorities], own) : await everywhere();
  };
  const read = async (host: string): Promise<HostTrust> => {
    const trust = await readStrict(host);
    if (!settings.insecureHosts?.has(host)) return trust;
    return { name: `any of ${host}`, connect: { ...trust.connect, rejectUnauthorized: false } };
  };
  return {
    of({ host }) {
      const trust = hosts.get(host) ?? read(host);
      hosts.set(host, trust);
      return trust;
    },
    wider: async (used) => (used === usual && rejectUnauthorized ? await machine() : undefined),
  };
}

function once<Result>(make: () => Promise<Result>): () => Promise<Result> {
  let made: Promise<Result> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** `meansTls` for many requests: folders are looked for once for each host. */
export function tlsLookup(settings: TlsSettings): (url: URL) => boolean {
  const known = new Map<string, boolean>();
  return (url) => {
    const answer = known.get(url.host) ?? meansTls(settings, url);
    known.set(url.host, answer);
    return answer;
  };
}

/** Whether these settings say that TLS is spoken to a host on this machine: for all, or in a folder for this one. */
export function meansTls(settings: TlsSettings, url: URL): boolean {
  if (settings.skipVerify || (settings.caFiles ?? []).length > 0) return true;
  return folderOf(settings, url.host) !== undefined;
}

/** A context that trusts Node's authorities, the machine's, and these. */
async function contextOf(
  settings: TlsSettings,
  authorities: readonly string[],
  own?: HostCertificates,
): Promise<SecureContext> {
  // Loading it decodes all of Node's authorities: for those who need it.
  const { createSecureContext, rootCertificates } = await import('node:tls');
  const ca = [rootCertificates.join('\n'), ...systemAuthorities(settings), ...authorities];
  return createSecureContext({ ca, ...(settings.anonymous ? {} : own?.client) });
}

function givenAuthorities({ caFiles = [], certDir }: TlsSettings): string[] {
  const files = caFiles.map((file) => readAuthorities(file, '--ca-cert'));
  return certDir === undefined ? files : [...files, ...authoritiesIn(certDir)];
}

/** The `*.crt` of the folder itself. A client's certificate there would be shown to everyone. */
function authoritiesIn(certDir: string): string[] {
  requireFolder(certDir);
  const names = listFolder(certDir) ?? [];
  const client = names.find((name) => name.endsWith('.cert') || name.endsWith('.key'));
  if (client !== undefined) {
    const hint = `put it into ${join(certDir, 'HOST:PORT')}, so that only that registry is shown it`;
    throw bad(join(certDir, client), 'belongs to no registry', hint, '--cert-dir');
  }
  return names
    .filter((name) => name.endsWith('.crt'))
    .map((name) => readAuthorities(join(certDir, name), '--cert-dir'));
}

function requireFolder(folder: string): void {
  try {
    if (statSync(folder).isDirectory()) return;
  } catch (error) {
    throw unreadable(folder, error, '--cert-dir');
  }
  throw bad(folder, 'is not a directory', 'name a folder that holds a folder HOST:PORT', '--cert-dir');
}

function certificatesOf(settings: TlsSettings, host: string): HostCertificates | undefined {
  const folder = folderOf(settings, host);
  return folder === undefined ? undefined : readHostFolder(folder);
}

function folderOf({ certDir, moreCertDirs = [] }: TlsSettings, host: string): string | undefined {
  const roots = certDir === undefined ? moreCertDirs : [certDir, ...moreCertDirs];
  const folders = roots.flatMap((root) => namesOf(host).map((name) => join(root, name)));
  return folders.find((folder) => listFolder(folder) !== undefined);
}

/** As people write the host: with or without https' own port, and Docker Hub by its name. */
function namesOf(host: string): string[] {
  // `..` is a host name to the URL parser.
  if (/^\.+$/.test(host)) return [];
  const names = host === 'registry-1.docker.io' ? [host, 'docker.io'] : [host];
  return /:\d+$/.test(host) ? names : [...names, `${host}:443`];
}

/** What the machine trusts; nothing where it does not say. */
function systemAuthorities({ systemCaFiles = [], extraCaFile }: TlsSettings): string[] {
  const system = firstReadable(systemCaFiles);
  const extra = extraCaFile === undefined ? undefined : firstReadable([extraCaFile]);
  return [system, extra].filter((text) => text !== undefined);
}

function firstReadable(files: readonly string[]): string | undefined {
  for (const file of files) {
    try {
      return readFileSync(file, 'utf8');
    } catch {
      // The next one; Node's own authorities are always there.
    }
  }
  return undefined;
}
