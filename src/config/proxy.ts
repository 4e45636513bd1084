import type { Machine, Setting } from './values.ts';

/** Proxies on the way to registries, as the environment names them. */
export interface ProxyConfig {
  /** For http registries. The text may hold a password: never show it. */
  readonly http: Setting | undefined;
  /** For https registries. */
  readonly https: Setting | undefined;
  readonly noProxy: string;
}

/** `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, each also in lower case; where both are set, upper case counts, as in Go. */
export function readProxyConfig(machine: Machine): ProxyConfig {
  return {
    http: variable('HTTP_PROXY', machine),
    https: variable('HTTPS_PROXY', machine),
    noProxy: variable('NO_PROXY', machine)?.text ?? '',
  };
}

function variable(name: string, { env }: Machine): Setting | undefined {
  for (const from of [name, name.toLowerCase()]) {
    const text = env[from]?.trim();
    if (text) return { text, from };
  }
  return undefined;
}
