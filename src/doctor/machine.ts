import type { Clock } from '../core/clock.ts';
import { type Finding, ok, problem } from './finding.ts';

/** The oldest Node that layerpull runs on. */
const oldestNode = [20, 19, 0];

/** @param version such as `20.19.1` */
export function checkNode(version: string): Finding {
  const numbers = version.split('.').map((part) => Number.parseInt(part, 10));
  const difference =
    oldestNode.map((least, at) => (numbers[at] ?? 0) - least).find((step) => step !== 0) ?? 0;
  if (difference >= 0) return ok('node', `Node ${version}`);
  return problem('node', `Node ${version} is older than ${oldestNode.join('.')}`, 'install a newer Node');
}

/** No machine on which this runs can live before. */
const builtAfterMs = Date.UTC(2025, 0, 1);

/** Certificates and tokens of registries count for nothing on a machine that lives in another year. */
export function checkClock(clock: Clock): Finding {
  const nowMs = clock.wallNow();
  const text = new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z');
  if (nowMs >= builtAfterMs) return ok('clock', text);
  return problem(
    'clock',
    `this machine says that it is ${text}`,
    'set its clock, as with chrony or systemd-timesyncd',
  );
}
