import { LayerpullError } from '../../core/errors.ts';

/** Under this name docker keeps the credentials of Docker Hub, in its file and in helpers. */
export const hubKey = 'https://index.docker.io/v1/';

const hub = 'docker.io';
const hubNames: ReadonlySet<string> = new Set([hub, 'index.docker.io', 'registry-1.docker.io']);

/** What somebody signs in to: a registry, or with podman's extension a part of it. */
export interface LoginTarget {
  readonly registry: string;
  /** `team/app`, or empty for the whole registry. */
  readonly namespace: string;
}

/** The name by which docker knows a registry. */
export function serverKey(registry: string): string {
  return registry === hub ? hubKey : registry;
}

/** Keys for a registry in `credHelpers`, docker's own first. */
export function helperKeys(registry: string): readonly string[] {
  return registry === hub ? [hubKey, ...hubNames] : [registry];
}

/** `REGISTRY/team/app`, `REGISTRY/team`: keys for parts of a registry, the longest first (containers-auth.json(5)). */
export function scopedKeys(registry: string, repository: string): string[] {
  const parts = repository.split('/').filter((part) => part !== '');
  return parts.map((_, at) => [registry, ...parts.slice(0, parts.length - at)].join('/'));
}

/**
 * The registry that a key of `auths` means. docker once wrote URLs there; their paths say nothing. Undefined for a key
 * that means a part of a registry.
 */
export function registryOfKey(key: string): string | undefined {
  const withoutScheme = key.replace(/^https?:\/\//i, '');
  const [host = '', ...path] = withoutScheme.split('/');
  if (withoutScheme === key && path.length > 0) return undefined;
  return registryNamed(host);
}

/** Lower case, and one name for Docker Hub. */
export function registryNamed(host: string): string {
  const name = host.toLowerCase();
  return hubNames.has(name) ? hub : name;
}

/**
 * Reads `REGISTRY[/NAMESPACE]` as docker and podman take it: with a scheme, too, and docker.io without anything.
 *
 * @throws LayerpullError `usage`
 */
export function parseLoginTarget(text = hub): LoginTarget {
  const given = text.replace(/^https?:\/\//i, '').replace(/\/+$/, '');
  const [host = '', ...path] = given.split('/');
  // What old versions of docker had at the end says nothing.
  const namespace = /^v[12]$/.test(path.join('/')) ? '' : path.join('/');
  const isHost =
    /^([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/.test(host) && URL.canParse(`https://${host}/`);
  const isPath = namespace === '' || /^[a-z0-9]+([._/-]+[a-z0-9]+)*$/.test(namespace);
  if (isHost && isPath) return { registry: registryNamed(host), namespace };
  // Nothing of it is repeated: it may be USER:PASSWORD@HOST.
  throw new LayerpullError('usage', 'the argument is not the name of a registry', {
    hint: 'give HOST[:PORT], as in registry.example:5000; without one docker.io is meant',
  });
}
