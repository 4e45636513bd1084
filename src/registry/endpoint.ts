import { isLoopback } from '../http/addresses.ts';

/** Where a registry answers. */
export interface Endpoint {
  /** As people write it: `docker.io`, `127.0.0.1:5000`. */
  readonly registry: string;
  /** Scheme and host. */
  readonly base: URL;
}

/** Docker Hub has a name for people and a host for machines. */
const hosts: Readonly<Record<string, string>> = { 'docker.io': 'registry-1.docker.io' };

/** When https is spoken to a registry on this machine, which rarely has a certificate: asked for by its URL. */
export type SecureLoopback = (url: URL) => boolean;

/** Https, but http for registries on this machine unless `isSecure`, and for all with `plainHttp`. */
export function endpointOf(
  registry: string,
  plainHttp: boolean,
  isSecure: SecureLoopback = () => false,
): Endpoint {
  const base = new URL(`https://${hosts[registry] ?? registry}/`);
  if (!plainHttp && (!isLoopback(base.hostname) || isSecure(base))) return { registry, base };
  return { registry, base: new URL(`http://${hosts[registry] ?? registry}/`) };
}

/** The host that answers for a registry. */
export function networkHost(registry: string): string {
  return hosts[registry] ?? registry;
}

export function manifestUrl({ base }: Endpoint, repository: string, name: string): URL {
  return new URL(`/v2/${repository}/manifests/${name}`, base);
}

export function blobUrl({ base }: Endpoint, repository: string, digest: string): URL {
  return new URL(`/v2/${repository}/blobs/${digest}`, base);
}

/** Whether the endpoint itself answered at `url`: one that is insecure may do so over http. */
export function isAnswerOf({ base }: Endpoint, url: URL): boolean {
  return url.host === base.host && (url.protocol === base.protocol || url.protocol === 'http:');
}

/** Whether the endpoint is the registry's own host, not another that answers in its place. */
export function isOwnHost({ registry, base }: Endpoint): boolean {
  return new URL(`${base.protocol}//${hosts[registry] ?? registry}/`).host === base.host;
}
