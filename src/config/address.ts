import { type GivenFlags, type Machine, setting, usage } from './values.ts';

/** Where a server listens. */
export interface ListenAddress {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
}

/** `HOST:PORT`; without a host, all interfaces. @throws LayerpullError `usage` */
export function readAddress(
  name: string,
  flags: GivenFlags,
  machine: Machine,
  standard: string,
): ListenAddress;
/** Undefined where neither somebody nor a standard says. @throws LayerpullError `usage` */
export function readAddress(
  name: string,
  flags: GivenFlags,
  machine: Machine,
  standard?: string,
): ListenAddress | undefined;
export function readAddress(
  name: string,
  flags: GivenFlags,
  machine: Machine,
  standard?: string,
): ListenAddress | undefined {
  const given = setting(name, flags, machine) ?? (standard && { text: standard, from: `--${name}` });
  if (!given) return undefined;
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]\s/]*)):(\d{1,5})$/.exec(given.text);
  const port = Number(match?.[3]);
  if (match && port <= 65_535) return { host: match[1] ?? (match[2] || '::'), port };
  throw usage(given, 'is not HOST:PORT', 'such as 127.0.0.1:8080, [::1]:8080, or :8080 for all interfaces');
}
