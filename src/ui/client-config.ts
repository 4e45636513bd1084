/** The programs for which a configuration can be printed. */
export const mirrorClients = ['containerd', 'docker', 'podman'] as const;
export type MirrorClient = (typeof mirrorClients)[number];

export interface ClientConfigOptions {
  readonly client: MirrorClient;
  /** Where the mirror answers: `http://127.0.0.1:5001`. */
  readonly url: string;
  /** For podman, which has to be told of each; the others need no list. Default: `usualRegistries`. */
  readonly registries?: readonly string[];
  /** The certificate of the mirror and its key, in PEM files. */
  readonly pair?: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** PEM file of the authority of that. With it, the mirror asks its clients for certificates; `pair` is one, too. */
  readonly caFile?: string | undefined;
  /** The mirror wants the token of the fleet. It is not printed: a line says where it belongs. */
  readonly asksToken?: boolean;
}

/** Those that most images come from. */
export const usualRegistries = ['docker.io', 'ghcr.io', 'quay.io', 'registry.k8s.io'] as const;

/**
 * The configuration with which a program pulls through a mirror, and goes to the registry itself where the mirror does
 * not answer. Comments say where it belongs, where its form has comments.
 */
export function clientConfig(options: ClientConfigOptions): string {
  const mirror = new URL(options.url);
  switch (options.client) {
    case 'containerd':
      return containerd(mirror, options);
    case 'docker':
      return docker(mirror);
    case 'podman':
      return podman(mirror, options);
  }
}

/** containerd tells the mirror by `?ns=` which registry it means, so one file is good for all of them. */
function containerd({ origin }: URL, { caFile, pair, asksToken }: ClientConfigOptions): string {
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
    ...(caFile === undefined ? [] : [`  ca = ${quote(caFile)}`]),
    ...(caFile && pair ? [`  client = [[${quote(pair.certFile)}, ${quote(pair.keyFile)}]]`] : []),
    ...(asksToken
      ? [
          '  # The token of the fleet in place of TOKEN:',
          `  # [host.${quote(origin)}.header]`,
          '  #   Authorization = "Bearer TOKEN"',
        ]
      : []),
    '',
  ].join('\n');
}

/** Without comments, which JSON has not: it belongs into `/etc/docker/daemon.json`. Docker mirrors Docker Hub alone. */
function docker({ origin, protocol, host, hostname }: URL): string {
  const isInsecure = protocol === 'http:' && !isLoopback(hostname);
  const lists = [['registry-mirrors', origin], ...(isInsecure ? [['insecure-registries', host]] : [])];
  const lines = lists.map(([name = '', only = '']) => `  ${quote(name)}: [${quote(only)}]`);
  return `{\n${lines.join(',\n')}\n}\n`;
}

/** What has to be done besides, and has no place in the configuration itself. */
export function clientNotes({ client, url, caFile, pair, asksToken }: ClientConfigOptions): string[] {
  if (client !== 'docker') return [];
  const { host } = new URL(url);
  const folder = `/etc/docker/certs.d/${host}`;
  return [
    ...(asksToken
      ? [
          'docker shows no token to a mirror, so this one refuses it: use certificates in place of --token-file',
        ]
      : []),
    ...(caFile && pair ? [`copies of ${listOf(caFile, pair)} belong into ${folder} as ${listOf()}`] : []),
  ];
}

/** Names in folders of certificates, as docker and podman have them. */
function listOf(
  caFile = 'ca.crt',
  { certFile, keyFile } = { certFile: 'client.cert', keyFile: 'client.key' },
) {
  return `${caFile}, ${certFile} and ${keyFile}`;
}

/** Docker takes these to be insecure by itself. */
function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}

/** podman, skopeo, buildah and CRI-O say by the first part of the name which registry they mean. */
function podman({ host, protocol }: URL, options: ClientConfigOptions): string {
  const { registries = usualRegistries, caFile, pair, asksToken } = options;
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
  const insecure = protocol === 'http:' ? ' --tls-verify=false' : '';
  const notes = [
    ...(caFile && pair
      ? [
          `# Copies of ${listOf(caFile, pair)}`,
          `# belong into /etc/containers/certs.d/${host} as ${listOf()}.`,
        ]
      : []),
    ...(asksToken
      ? [`# Sign in as any user with the token of the fleet: podman login${insecure} ${host}`]
      : []),
  ];
  return ['# /etc/containers/registries.conf.d/50-layerpull.conf', ...notes, ...tables, ''].join('\n');
}

/** A port cannot stand inside of a name: `HOST:PORT` is written `HOST_PORT` there. */
function asPart(registry: string): string {
  return registry.replace(/:(\d+)$/, '_$1');
}

/** A basic string of TOML. */
function quote(text: string): string {
  return JSON.stringify(text);
}
