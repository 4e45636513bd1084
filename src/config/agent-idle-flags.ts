import { LayerpullError } from '../core/errors.ts';
import { type GivenFlags, type Machine, setting } from './values.ts';

/** What nothing but the registry mirror reads: its own flags, and how it reaches registries. */
const ofMirror: readonly string[] = [
  ...['mirror-as-agent', 'offline-ttl', 'plain-http', 'authfile', 'creds'],
  ...['stall-timeout', 'layer-timeout', 'timeout', 'limit-rate', 'limit-registry-rps'],
  ...['ca-cert', 'cert-dir', 'insecure-skip-tls-verify'],
  ...['mirror', 'mirror-count', 'mirror-order', 'mirror-min-rate', 'mirror-min-rate-window'],
  ...['mirror-cool-down', 'registries-conf'],
];

/**
 * Whoever gives a flag means it. What the environment or a file says may be meant for other commands.
 *
 * @throws LayerpullError `usage` for a flag that has no effect
 */
export function forbidIdleFlags(flags: GivenFlags, machine: Machine, hasServer: boolean): void {
  if (!setting('registry-addr', flags, machine))
    forbid(ofMirror, flags, '--registry-addr', 'such as --registry-addr 127.0.0.1:5001');
  if (!hasServer && !setting('peer-addr', flags, machine))
    forbid(['peer-url'], flags, '--peer-addr or --server', 'such as --peer-addr 0.0.0.0:7041');
}

/** Without the value, which may be a password. */
function forbid(names: readonly string[], flags: GivenFlags, needed: string, hint: string): void {
  const idle = names.find((name) => flags[name] !== undefined && flags[name] !== false);
  if (idle === undefined) return;
  throw new LayerpullError('usage', `--${idle} has no effect without ${needed}`, { hint });
}
