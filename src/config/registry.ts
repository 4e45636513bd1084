import { type AccessConfig, readAccess } from './access.ts';
import { type MirrorsConfig, readMirrors } from './mirrors.ts';
import { type ProxyConfig, readProxyConfig } from './proxy.ts';
import { readTlsConfig, type TlsConfig } from './tls.ts';
import { readTransfer, type TransferConfig } from './transfer.ts';
import { type GivenFlags, type Machine, readSwitch } from './values.ts';

/** How a command reaches registries: one group per concern, each with a file of its own. */
export interface RegistryConfig {
  /** For the user agent. */
  readonly version: string;
  /** Speak http to the registry. Loopback registries get http without it. */
  readonly plainHttp: boolean;
  readonly access: AccessConfig;
  readonly transfer: TransferConfig;
  readonly tls: TlsConfig;
  readonly proxies: ProxyConfig;
  readonly mirrors: MirrorsConfig;
}

/** @throws LayerpullError `usage` */
export function readRegistryConfig(flags: GivenFlags, machine: Machine): RegistryConfig {
  return {
    version: machine.version,
    plainHttp: readSwitch('plain-http', flags, machine),
    access: readAccess(flags, machine),
    transfer: readTransfer(flags, machine),
    tls: readTlsConfig(flags, machine),
    proxies: readProxyConfig(machine),
    mirrors: readMirrors(flags, machine),
  };
}
