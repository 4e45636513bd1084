import { Agent, buildConnector } from 'undici';
import { keepingAlerts } from './alerts.ts';
import type { ClientTls } from './fleet-trust.ts';
import { refusingLinkLocal } from './lookup.ts';
import { createProxyChoice, type HttpProxy, type ProxySettings } from './proxies.ts';
import { createTrust, type HostTrust, type TlsSettings, type Trust } from './trust.ts';

export interface RouteOptions {
  readonly userAgent: string;
  readonly socketPath?: string;
  readonly connectTimeoutMs?: number;
  readonly connections?: number;
  readonly refuseLinkLocal?: boolean;
  readonly tls?: TlsSettings;
  readonly proxies?: ProxySettings;
  readonly ownTls?: () => ClientTls | undefined;
}

/** The way to one URL. */
export interface Route {
  readonly agent: Agent;
  /** The proxy it goes through. */
  readonly proxy: HttpProxy | undefined;
  /** How the host of the URL is spoken to, over TLS. */
  readonly trust: HostTrust | undefined;
  /** Whether a proxy gets the whole request, and not a tunnel: so for http. */
  readonly isForwarded: boolean;
}

export interface Routes {
  /** At once where neither certificates nor proxies were given. */
  to(url: URL): Route | Promise<Route>;
  /** Another route to the same URL, after `used` did not know the authority of its host. */
  wider(url: URL, used: Route): Promise<Route | undefined>;
  close(): Promise<void>;
}

/**
 * Connections by the way they take: hosts share them only where TLS is spoken with the same certificates, so that a
 * client's certificate is shown to the one host it is for.
 *
 * @throws LayerpullError `usage` for certificate files that cannot be used
 */
export function createRoutes(options: RouteOptions): Routes {
  const { tls, proxies } = options;
  if (options.ownTls || (tls === undefined && proxies === undefined)) return oneRoute(options);
  const trust = createTrust(tls ?? {});
  const choose = createProxyChoice(proxies ?? {});
  const closing = new AbortController();
  const agents = new Map<string, Agent>();
  const agentFor = async (key: string, connect: () => Promise<Connect>): Promise<Agent> => {
    const known = agents.get(key);
    if (known) return known;
    const how = await connect();
    if (closing.signal.aborted) throw closing.signal.reason;
    const agent = agents.get(key) ?? createAgent(options, how);
    agents.set(key, agent);
    return agent;
  };
  const route = async (url: URL, hostTrust: HostTrust | undefined): Promise<Route> => {
    const proxy = choose?.(url);
    const isForwarded = proxy !== undefined && url.protocol === 'http:';
    const connect = async () => {
      if (!proxy) return directly(options, hostTrust);
      const proxyTrust = await proxyTrustOf(proxy, trust);
      if (isForwarded) return toForwarder({ timeout: timeoutOf(options), ...proxyTrust?.connect });
      return await throughTunnel(options, { proxy, proxyTrust, trust: hostTrust, closed: closing.signal });
    };
    const key = keyOf(proxy, isForwarded ? 'forwarded' : (hostTrust?.name ?? 'plain'));
    return { agent: await agentFor(key, connect), proxy, trust: hostTrust, isForwarded };
  };
  return {
    to: async (url) => await route(url, url.protocol === 'https:' ? await trust.of(url) : undefined),
    async wider(url, used) {
      const hostTrust = used.trust && (await trust.wider(used.trust));
      return hostTrust && (await route(url, hostTrust));
    },
    async close() {
      // As undici says it of an agent that is destroyed.
      closing.abort(Object.assign(new Error('the client is closed'), { code: 'UND_ERR_DESTROYED' }));
      await Promise.all([...agents.values()].map((agent) => agent.destroy()));
    },
  };
}

/** The same for every URL, as for a lock server: Node's own authorities or those of the fleet, and no proxy. */
function oneRoute(options: RouteOptions): Routes {
  const agent = createAgent(
    options,
    options.ownTls ? fleetWise(options, options.ownTls) : directly(options, undefined),
  );
  const route: Route = { agent, proxy: undefined, trust: undefined, isForwarded: false };
  return { to: () => route, wider: async () => undefined, close: () => agent.destroy() };
}

function keyOf(proxy: HttpProxy | undefined, way: string): string {
  return proxy ? `${way} by ${proxy.from}` : way;
}

type Connect = buildConnector.BuildOptions | buildConnector.connector;

function createAgent(options: RouteOptions, connect: Connect): Agent {
  return new Agent({
    connect,
    ...(options.connections === undefined ? {} : { connections: options.connections }),
    keepAliveTimeout: 30_000,
  });
}

function directly(options: RouteOptions, trust: HostTrust | undefined): Connect {
  const { socketPath, refuseLinkLocal } = options;
  const how = {
    timeout: timeoutOf(options),
    ...(socketPath === undefined ? {} : { socketPath }),
    ...(refuseLinkLocal ? { lookup: refusingLinkLocal() } : {}),
  };
  return trust ? speakingTls({ ...how, ...trust.connect }) : how;
}

/** With the certificates that are valid when a connection is made; what TLS remembers of older ones is left behind. */
function fleetWise(options: RouteOptions, ownTls: () => ClientTls | undefined): buildConnector.connector {
  const { socketPath } = options;
  const how = { timeout: timeoutOf(options), ...(socketPath === undefined ? {} : { socketPath }) };
  let used = ownTls();
  let connect = speakingTls({ ...how, ...used });
  return (target, callback) => {
    const valid = ownTls();
    if (valid !== used) {
      used = valid;
      connect = speakingTls({ ...how, ...valid });
    }
    connect(target, callback);
  };
}

/** Undici takes the name for TLS from the `Host` header, which here is not the proxy's. */
function toForwarder(how: buildConnector.BuildOptions): buildConnector.connector {
  const connect = buildConnector(how);
  return ({ servername: _, ...proxy }, callback) => connect(proxy, callback);
}

function speakingTls(how: buildConnector.BuildOptions): buildConnector.connector {
  const connect = buildConnector(how);
  return (options, callback) =>
    connect(options, (...[error, socket]) => {
      if (error) return callback(error, null);
      callback(null, keepingAlerts(socket));
    });
}

/** With all that the machine trusts: a company's own authority is usual for such a proxy. */
async function proxyTrustOf({ url }: HttpProxy, trust: Trust): Promise<HostTrust | undefined> {
  if (url.protocol !== 'https:') return undefined;
  const usual = await trust.of(url);
  return (await trust.wider(usual)) ?? usual;
}

/** Loaded by those who have a proxy. */
async function throughTunnel(
  options: RouteOptions,
  tunnel: {
    readonly proxy: HttpProxy;
    readonly proxyTrust: HostTrust | undefined;
    readonly trust: HostTrust | undefined;
    readonly closed: AbortSignal;
  },
): Promise<Connect> {
  const { tunnelConnector } = await import('./tunnel.ts');
  return tunnelConnector({ ...tunnel, userAgent: options.userAgent, timeoutMs: timeoutOf(options) });
}

function timeoutOf({ connectTimeoutMs = 10_000 }: RouteOptions): number {
  return connectTimeoutMs;
}
