import { LayerpullError } from '../core/errors.ts';
import { createNoProxy } from './no-proxy.ts';

/** The value of a variable and its name, for messages. */
export interface ProxySetting {
  /** `http://[USER:PASSWORD@]HOST[:PORT]`, also `https://`; `HOST:PORT` alone means http. */
  readonly text: string;
  readonly from: string;
}

/** Proxies as the environment names them. */
export interface ProxySettings {
  /** For http URLs. */
  readonly http?: ProxySetting | undefined;
  /** For https URLs. */
  readonly https?: ProxySetting | undefined;
  /** Hosts that are reached without; see `createNoProxy`. */
  readonly noProxy?: string | undefined;
}

export interface HttpProxy {
  /** Without credentials. */
  readonly url: URL;
  /** `Proxy-Authorization`. */
  readonly authorization: string | undefined;
  /** The variable that named it. */
  readonly from: string;
}

/** Says which proxy a URL is reached through; undefined: none. */
export type ProxyChoice = (url: URL) => HttpProxy | undefined;

/** What is wrong with a variable is said when it is first needed: no pull fails for a proxy that it does not use. */
export function createProxyChoice(settings: ProxySettings): ProxyChoice | undefined {
  const { http, https, noProxy = '' } = settings;
  if (!http && !https) return undefined;
  const isException = createNoProxy(noProxy);
  const known = new Map<ProxySetting, HttpProxy>();
  const read = (setting: ProxySetting): HttpProxy => {
    const proxy = known.get(setting) ?? parseProxy(setting);
    known.set(setting, proxy);
    return proxy;
  };
  return (url) => {
    const setting = url.protocol === 'https:' ? https : http;
    return setting && !isException(url) ? read(setting) : undefined;
  };
}

/** Never shows the text: it may hold a password. */
function parseProxy({ text, from }: ProxySetting): HttpProxy {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (!url?.hostname) throw bad(from, 'is not the address of a proxy');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw bad(from, `names a proxy of the kind ${url.protocol.slice(0, -1)}, which is not supported`);
  }
  const authorization = authorizationOf(url);
  return { url: new URL(url.origin), authorization, from };
}

function bad(from: string, problem: string): LayerpullError {
  const hint = 'give http://HOST:PORT, with USER:PASSWORD@ before the host if it asks for them';
  return new LayerpullError('usage', `${from} ${problem}`, { hint });
}

function authorizationOf({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  const credentials = `${decode(username)}:${decode(password)}`;
  return `Basic ${Buffer.from(credentials).toString('base64')}`;
}

/** A `%` that nobody encoded is meant as it stands. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
