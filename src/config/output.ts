import { resolve } from 'node:path';
import { type GivenFlags, type Machine, readSwitch, type Setting, setting, usage } from './values.ts';

const kinds = ['oci', 'oci-archive', 'docker-archive'] as const;

/** Where a pull writes the image besides the store. */
export interface ImageOutputConfig {
  readonly kind: (typeof kinds)[number];
  /** Absolute, or `-` for stdout. */
  readonly path: string;
  /** The tag in a layout, or the name in an archive of docker. */
  readonly name: string | undefined;
  /** The whole index instead of the manifest of one platform. */
  readonly allPlatforms: boolean;
}

const forms = 'write oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:NAME], FILE - for stdout';

/** As skopeo: the path ends at the first colon. @throws LayerpullError `usage` */
export function readImageOutput(flags: GivenFlags, machine: Machine): ImageOutputConfig | undefined {
  const given = setting('output', flags, machine);
  if (!given) return undefined;
  const [kindText = '', path, ...rest] = given.text.split(':');
  const kind = kinds.find((candidate) => candidate === kindText);
  if (kind === undefined) throw usage(given, 'is no form that layerpull writes', forms);
  if (!path) throw usage(given, 'names no place', forms);
  const name = rest.length > 0 ? rest.join(':') : undefined;
  if (kind !== 'docker-archive') checkTag(name, given);
  if (name === '') throw usage(given, 'ends with a colon', forms);
  // A platform that is asked for overrules an environment that wants all.
  const allPlatforms = flags['platform'] === undefined && readSwitch('all-platforms', flags, machine);
  if (kind === 'docker-archive' && allPlatforms) throw onePlatform(given);
  if (path === '-') checkStdout(kind, given, flags, machine);
  return { kind, path: path === '-' ? path : resolve(machine.workingDirectory, path), name, allPlatforms };
}

/** OCI image-spec `annotations.md`, the grammar of `org.opencontainers.image.ref.name`. */
const part = '[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*';
const refName = new RegExp(`^${part}(?:/${part})*$`);

function checkTag(tag: string | undefined, given: Setting): void {
  if (tag === undefined || tag === '' || (tag.length <= 1_024 && refName.test(tag))) return;
  throw usage(
    given,
    'has a tag that no layout can have',
    'letters and digits, with - . _ : @ + / between them',
  );
}

function checkStdout(
  kind: ImageOutputConfig['kind'],
  given: Setting,
  flags: GivenFlags,
  machine: Machine,
): void {
  if (kind === 'oci')
    throw usage(given, 'is a folder, which stdout cannot be', 'use oci-archive:- for a tar of it');
  if (readSwitch('json', flags, machine)) {
    throw usage(
      given,
      'and --json cannot both have stdout',
      'write the archive to a file, or leave out --json',
    );
  }
  if (machine.stdoutIsTerminal) {
    throw usage(given, 'would write an archive to the terminal', 'redirect stdout, or write to a file');
  }
}

function onePlatform(given: Setting) {
  return usage(
    given,
    'holds one platform, not all of them',
    'choose one with --platform, or use oci-archive:',
  );
}
