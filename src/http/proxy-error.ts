import type { HttpProxy } from './proxies.ts';
import { tlsProblemOf } from './tls-problems.ts';
import { transportProblem } from './transport.ts';

/** What a proxy did not do. */
export type ProxyProblem = 'unreachable' | 'credentials' | 'refused';

/** A proxy that could not be used. The message names it and never its credentials. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError';
  readonly problem: ProxyProblem;
  /** The variable that names the proxy. */
  readonly from: string;
  /** What the proxy answered; undefined: nothing. */
  readonly status: number | undefined;

  constructor(proxy: HttpProxy, problem: ProxyProblem, details: { status?: number; cause?: unknown } = {}) {
    super(`the proxy ${proxy.url.host} ${sayingOf(proxy, problem, details)}`, { cause: details.cause });
    this.problem = problem;
    this.from = proxy.from;
    this.status = details.status;
  }
}

function sayingOf(
  { authorization }: HttpProxy,
  problem: ProxyProblem,
  { status, cause }: { status?: number; cause?: unknown },
): string {
  if (problem === 'unreachable') return `cannot be used: ${transportProblem(cause)}`;
  if (problem === 'refused') return `does not connect to it (status ${status})`;
  return authorization === undefined ? 'asks for credentials' : 'does not accept the credentials it got';
}

/** The error for what a proxy answered in place of a tunnel. */
export function refusedBy(proxy: HttpProxy, status: number): ProxyError {
  return new ProxyError(proxy, status === 407 ? 'credentials' : 'refused', { status });
}

/** Whether the host that was meant, and not a proxy before it, has a certificate of an authority that is not known. */
export function isUnknownAuthority(error: unknown): boolean {
  return !(error instanceof ProxyError) && tlsProblemOf(error) === 'authority';
}
