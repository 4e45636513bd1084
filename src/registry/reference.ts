import { type Digest, isDigest } from '../core/digest.ts';
import { LayerpullError } from '../core/errors.ts';

/** A parsed image reference, normalised as docker does. */
export interface ImageReference {
  /** `docker.io`, `127.0.0.1:5000` … */
  readonly registry: string;
  /** `library/busybox` … */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const defaultRegistry = 'docker.io';
const longestText = 1_024;
const longestRepository = 255;
const longestTag = 128;

/**
 * Reads a reference as docker does: `busybox` is `docker.io/library/busybox:latest`. The first part is a registry if it
 * has a dot, a colon or an upper-case letter, or is `localhost`. With a digest and no tag, the tag stays absent.
 * Grammar: github.com/distribution/reference, `reference.go`. @throws LayerpullError `invalid_reference`
 */
export function parseReference(text: string): ImageReference {
  checkWhole(text);
  const [named, digestText] = splitDigest(text);
  const { registry, rest } = splitRegistry(named);
  const [path, tag] = splitTag(rest, text);
  checkRegistry(registry);
  checkRepository(path);
  if (tag !== undefined) checkTag(tag);
  const repository = registry === defaultRegistry && !path.includes('/') ? `library/${path}` : path;
  checkLength(repository);
  const digest = digestText === undefined ? undefined : checkDigest(digestText);
  const effectiveTag = tag ?? (digest === undefined ? 'latest' : undefined);
  return {
    registry,
    repository,
    ...(effectiveTag === undefined ? {} : { tag: effectiveTag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** The full form: `docker.io/library/busybox:latest`, `NAME@DIGEST` or `NAME:TAG@DIGEST`. */
export function formatReference(reference: ImageReference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${nameOf(reference)}${tag}${digest}`;
}

/** Registry and repository: `docker.io/library/busybox`. */
export function nameOf(reference: ImageReference): string {
  return `${reference.registry}/${reference.repository}`;
}

function checkWhole(text: string): void {
  if (text === '') throw invalid('the image reference is empty', 'write one, as in busybox:latest');
  if (/\s/.test(text)) throw invalid(`image reference ${quote(text)} contains white space`);
  if (/[^\x21-\x7e]/.test(text))
    throw invalid(`image reference ${quote(text)} has characters outside of ASCII`);
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) throw schemeGiven(text);
  if (/@.*\//.test(text)) {
    // What stands before the @ may be a password, so it is not repeated.
    throw invalid('credentials do not belong into an image reference', 'leave out everything up to the @');
  }
  if (text.length > longestText) throw invalid(`an image reference of ${text.length} characters is too long`);
  if (/^[0-9a-f]{64}$/.test(text)) {
    throw invalid(
      `image reference ${quote(text)} is 64 hexadecimal digits, which could be a name or an id`,
      'for content by digest write NAME@sha256:…',
    );
  }
}

function schemeGiven(text: string): LayerpullError {
  const scheme = text.slice(0, text.indexOf(':'));
  const plain = scheme.toLowerCase() === 'http' ? '; for plain http use --plain-http' : '';
  return invalid(
    `an image reference has no scheme, so ${quote(`${scheme}://`)} does not belong there`,
    `write HOST/REPOSITORY:TAG${plain}`,
  );
}

function splitDigest(text: string): readonly [named: string, digest: string | undefined] {
  const at = text.indexOf('@');
  if (at < 0) return [text, undefined];
  if (at === 0) throw invalid(`image reference ${quote(text)} has no name before the @`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function splitRegistry(named: string): { readonly registry: string; readonly rest: string } {
  const slash = named.indexOf('/');
  const first = named.slice(0, slash);
  if (slash < 0 || !isRegistry(first)) return { registry: defaultRegistry, rest: named };
  const registry = first === 'index.docker.io' ? defaultRegistry : first;
  return { registry, rest: named.slice(slash + 1) };
}

function isRegistry(first: string): boolean {
  return /[.:A-Z]/.test(first) || first === 'localhost';
}

function splitTag(rest: string, text: string): readonly [path: string, tag: string | undefined] {
  const colon = rest.indexOf(':');
  if (colon < 0) return [rest, undefined];
  const tag = rest.slice(colon + 1);
  if (tag.includes('/'))
    throw invalid(`image reference ${quote(text)} has a colon inside of its repository name`);
  return [rest.slice(0, colon), tag];
}

const hostName = /^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/;

function checkRegistry(registry: string): void {
  const [, host = '', port] = /^(\[[0-9a-fA-F:]+\]|[^:]*)(?::(.*))?$/.exec(registry) ?? [];
  if (!/^\[.*\]$/.test(host) && !hostName.test(host)) {
    throw invalid(
      `registry ${quote(registry)} is not a host name`,
      'write HOST or HOST:PORT, IPv6 as [::1]:5000',
    );
  }
  if (port !== undefined && (!/^[0-9]{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535)) {
    throw invalid(
      `registry ${quote(registry)} has ${quote(port)} as port`,
      'a port is a number from 1 to 65535',
    );
  }
  if (!URL.canParse(`https://${registry}/`))
    throw invalid(`registry ${quote(registry)} is not a valid address`);
}

const pathPart = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$/;

function checkRepository(path: string): void {
  if (path === '') throw invalid('the image reference has no repository name');
  if (/[A-Z]/.test(path)) {
    const lower = path.toLowerCase();
    const isName = lower.split('/').every((part) => pathPart.test(part));
    throw invalid(
      `repository name ${quote(path)} has upper case`,
      isName ? `write ${quote(lower)}` : allowedName,
    );
  }
  const parts = path.split('/');
  if (parts.includes('')) {
    throw invalid(`repository name ${quote(path)} has an empty part`, 'look for a slash too many');
  }
  const [bad] = /[^a-z0-9._/-]/.exec(path) ?? [];
  if (bad !== undefined)
    throw invalid(`repository name ${quote(path)} has the character ${quote(bad)}`, allowedName);
  const part = parts.find((one) => !pathPart.test(one));
  if (part !== undefined)
    throw invalid(`repository name ${quote(path)} has the part ${quote(part)}`, separators);
}

const allowedName = 'lower-case letters, digits, and . _ - between them are allowed';
const separators =
  'a part begins and ends with a letter or digit; between them stand one dot, one or two _ or some -';

function checkLength(repository: string): void {
  if (repository.length <= longestRepository) return;
  throw invalid(
    `a repository name of ${repository.length} characters is too long`,
    `at most ${longestRepository} are allowed`,
  );
}

function checkTag(tag: string): void {
  if (tag === '')
    throw invalid('the tag after the colon is empty', 'write a tag, or leave out the colon for latest');
  if (tag.length > longestTag) {
    throw invalid(`a tag of ${tag.length} characters is too long`, `at most ${longestTag} are allowed`);
  }
  if (/^\w[\w.-]*$/.test(tag)) return;
  const [bad] = /[^\w.-]/.exec(tag) ?? [];
  const problem =
    bad === undefined ? `begins with ${quote(tag.slice(0, 1))}` : `has the character ${quote(bad)}`;
  throw invalid(
    `tag ${quote(tag)} ${problem}`,
    'letters, digits, _ . - are allowed, and the first is not . or -',
  );
}

function checkDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw invalid(
    `digest ${quote(text)} ${digestProblem(text)}`,
    'a digest is sha256: or sha512: and lower-case hex',
  );
}

function digestProblem(text: string): string {
  if (text === '') return 'is empty';
  const colon = text.indexOf(':');
  if (colon < 0) return 'names no algorithm';
  const algorithm = text.slice(0, colon);
  const hex = text.slice(colon + 1);
  if (algorithm !== 'sha256' && algorithm !== 'sha512') return `has the algorithm ${quote(algorithm)}`;
  if (/[A-F]/.test(hex)) return 'has upper case';
  if (/[^0-9a-f]/.test(hex)) return 'has characters that are not hexadecimal';
  return `has ${hex.length} hexadecimal digits instead of ${algorithm === 'sha256' ? 64 : 128}`;
}

/** Fit for one line of any terminal. */
function quote(text: string): string {
  const line = text.replace(/[^\x20-\x7e]/g, '?');
  return `"${line.length > 100 ? `${line.slice(0, 100)}…` : line}"`;
}

function invalid(
  message: string,
  hint = 'see NAME[:TAG][@DIGEST], as in ghcr.io/owner/app:1.2',
): LayerpullError {
  return new LayerpullError('invalid_reference', message, { hint });
}
