import { withDeadline } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import type { HttpClient, HttpResponse } from '../http/client.ts';
import { urlOn } from '../http/servers.ts';
import { readJson } from '../http/short.ts';
import { callError, labelOf, protocolError } from '../lock/backends/http/errors.ts';
import { type Finding, fromError, ok, problem, warning } from './finding.ts';

export interface LockServerParts {
  readonly server: URL;
  readonly http: HttpClient;
  readonly clock: Clock;
  /** Something that only members of the fleet may ask. @throws LayerpullError `lock_*` */
  readonly askAsMember: () => Promise<unknown>;
  readonly signal: AbortSignal;
}

/** Milliseconds for one answer. */
const answerWithinMs = 5_000;
/** Milliseconds by which clocks may differ before somebody should know. Certificates and logs are compared by them. */
const differenceMs = 30_000;
const label = labelOf(undefined);
const check = 'lock server';

/** Whether it lives, takes clients, and takes this one; and whether the two agree about the time. */
export async function checkLockServer(parts: LockServerParts): Promise<readonly Finding[]> {
  const name = nameOf(parts.server);
  try {
    const { differsMs } = await askHealth(parts);
    const refusal = await askReadiness(parts);
    if (refusal) {
      const message = `${name} takes no new clients: ${refusal.reason}`;
      return [problem(check, message, refusal.hint, 'lock_unreachable')];
    }
    await parts.askAsMember();
    return [ok(check, `${name} answers, and lets this node in`), ...clockFinding(name, differsMs)];
  } catch (error) {
    parts.signal.throwIfAborted();
    return [fromError(check, error)];
  }
}

/** Of several, with what was found of each: which of them a client goes on with. Nothing where all are well, or none. */
export function tellWhichAnswer(
  servers: readonly URL[],
  found: readonly (readonly Finding[])[],
): readonly Finding[] {
  const well = servers.filter((_, at) => found[at]?.every(({ verdict }) => verdict !== 'problem'));
  if (well.length === 0 || well.length === servers.length) return [];
  const names = well.map(nameOf).join(', ');
  return [ok('lock servers', `clients go on with ${names}: ${well.length} of ${servers.length}`)];
}

function nameOf(server: URL): string {
  return label.name(server).replace(/^the lock server /, '');
}

async function askHealth(parts: LockServerParts): Promise<{ readonly differsMs: number | undefined }> {
  const beforeMs = parts.clock.wallNow();
  const { status, body, headers } = await get(parts, '/healthz');
  const middleMs = (beforeMs + parts.clock.wallNow()) / 2;
  if (status !== 200 || !isOk(body)) {
    throw protocolError(label, 'GET /healthz', parts.server, `status ${status}`);
  }
  const theirMs = Date.parse(headers['date'] ?? '');
  return { differsMs: Number.isNaN(theirMs) ? undefined : Math.abs(middleMs - theirMs) };
}

interface Refusal {
  readonly reason: string;
  readonly hint: string;
}

/** Why it takes no new clients; undefined where it does. */
async function askReadiness(parts: LockServerParts): Promise<Refusal | undefined> {
  const { status, body } = await get(parts, '/readyz');
  if (status === 200) return undefined;
  if (status === 503) {
    const isFull = textOf(body, 'code') !== 'lock_unreachable';
    return {
      reason: textOf(body, 'message') ?? 'it is busy',
      hint: isFull
        ? 'give it more connections, or another lock server beside it'
        : 'look at its etcd and at the network between the two; its log says more',
    };
  }
  throw protocolError(label, 'GET /readyz', parts.server, `status ${status}`);
}

interface Got {
  readonly status: number;
  readonly headers: HttpResponse['headers'];
  readonly body: unknown;
}

async function get({ http, server, clock, signal }: LockServerParts, path: string): Promise<Got> {
  const late = () => Object.assign(new Error('no reply in time'), { code: 'ETIMEDOUT' });
  try {
    return await withDeadline(clock, answerWithinMs, signal, late, async (within) => {
      const response = await http.send({ method: 'GET', url: urlOn(server, path), signal: within });
      const body = await readJson(response, 65_536);
      return { status: response.status, headers: response.headers, body };
    });
  } catch (error) {
    throw callError(label, server, error, signal);
  }
}

function isOk(body: unknown): boolean {
  return textOf(body, 'status') === 'ok';
}

function textOf(body: unknown, name: string): string | undefined {
  const value: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, name) : undefined;
  return typeof value === 'string' ? value.slice(0, 200) : undefined;
}

function clockFinding(name: string, differsMs: number | undefined): Finding[] {
  if (differsMs === undefined || differsMs < differenceMs) return [];
  const seconds = Math.round(differsMs / 1_000);
  const message = `this machine and ${name} differ by ${seconds} s`;
  return [warning('clock', message, 'set both clocks, as with chrony or systemd-timesyncd')];
}
