import { LayerpullError } from '../../../../core/errors.ts';

/** No member did what was asked. `problems` has what came of each, by its `HOST:PORT`. */
export function unreachableError(problems: ReadonlyMap<string, string>): LayerpullError {
  const text = [...problems].map(([address, problem]) => `${address} (${problem})`).join(', ');
  return new LayerpullError('etcd_unreachable', `cannot reach etcd at ${text}`, {
    hint: hintOf([...problems.values()].join('\n')),
  });
}

/** A member may have done what it was asked for. */
export function uncertainError(address: string, problem: string, cause: unknown): LayerpullError {
  const message = `etcd at ${address} broke off: ${problem}; whether it did what was asked is not known`;
  return new LayerpullError('etcd_unreachable', message, { hint: hintOf(problem), cause });
}

function hintOf(problems: string): string {
  if (/alert (bad|unknown|unsupported) (certificate|ca)|certificate required/i.test(problems))
    return 'give --etcd-cert and --etcd-key, a pair whose authority etcd knows';
  if (/certificate has expired|not yet valid/.test(problems))
    return 'look at the clock, or give etcd a new certificate';
  if (/altnames/.test(problems)) return 'name etcd as its certificate does, or give it another one';
  if (/certificate/.test(problems))
    return 'give --etcd-ca, a file with the authority of the certificate of etcd';
  if (/HTTP status code|unknown (service|method)|unimplemented/i.test(problems))
    return 'check that etcd 3.4 or newer listens there';
  if (/connection closed|version number|Protocol error/.test(problems))
    return 'check that etcd runs there; with TLS it is etcds://, without it etcd://';
  return 'check that etcd runs there, and most of its members';
}
