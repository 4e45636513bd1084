/** The programs for which a configuration can be printed. */
export const mirrorClients = ['containerd', 'docker', 'podman'] as const;
export type MirrorClient = (typeof mirrorClients)[number];

export interface ClientConfigOptions {
  readonly client: MirrorClient;
  /** Where the mirror answers: `http://127.0.0.1:5001`. */
  readonly url: string;
  /** For podman, which has to be told of each; the others need no list. Default: `usualRegistries`. */
  readonly registries?: readonly string[];
}

/** Those that most images come from. */
export const usualRegistries = ['docker.io', 'ghcr.io', 'quay.io', 'registry.k8s.io'] as const;

/**
 * The configuration with which a program pulls through a mirror, and goes to the registry itself where the mirror does
 * not answer. Comments say where it belongs, where its form has comments.
 */
export function clientConfig({ client, url, registries = usualRegistries }: ClientConfigOptions): string {
  const mirror = new URL(url);
  switch (client) {
    case 'containerd':
      return containerd(mirror);
    case 'docker':
      return docker(mirror);
    case 'podman':
      return podman(mirror, registries);
  }
}

/** containerd tells the mirror by `?ns=` which registry it means, so one file is good for all of them. */
function containerd({ origin }: URL): string {
  return [
    '# /etc/containerd/certs.d/_default/hosts.toml',
    '#',
    '# For every registry. containerd looks there if its config.toml (version 2) says:',
    '#   [plugins."io.containerd.grpc.v1.cri".registry]',
    '#     config_path = "/etc/containerd/certs.d"',
    '# A folder of the name of one registry, with a file like this one, counts before _default.',
    '',
    `[host.${quote(origin)}]`,
    '  capabilities = ["pull", "resolve"]',
    '',
  ].join('\n');
}

/** Without comments, which JSON has not: it belongs into `/etc/docker/daemon.json`. Docker mirrors Docker Hub alone. */
function docker({ origin, protocol, host, hostname }: URL): string {
  const isInsecure = protocol === 'http:' && !isLoopback(hostname);
  const config = {
    'registry-mirrors': [origin],
    ...(isInsecure ? { 'insecure-registries': [host] } : {}),
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}

/** Docker takes these to be insecure by itself. */
function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}

/** podman, skopeo, buildah and CRI-O say by the first part of the name which registry they mean. */
function podman({ host, protocol }: URL, registries: readonly string[]): string {
  const tables = registries.flatMap((registry) => [
    '',
    '[[registry]]',
    `prefix = ${quote(registry)}`,
    `location = ${quote(registry)}`,
    '',
    '[[registry.mirror]]',
    `location = ${quote(`${host}/${asPart(registry)}`)}`,
    ...(protocol === 'http:' ? ['insecure = true'] : []),
  ]);
  return ['# /etc/containers/registries.conf.d/50-layerpull.conf', ...tables, ''].join('\n');
}

/** A port cannot stand inside of a name: `HOST:PORT` is written `HOST_PORT` there. */
function asPart(registry: string): string {
  return registry.replace(/:(\d+)$/, '_$1');
}

/** A basic string of TOML. */
function quote(text: string): string {
  return JSON.stringify(text);
}
