import { type ContainerdConfig, readContainerdConfig, UnreadableConfig } from '../containerd/config-file.ts';
import { checkExistingRoot, type HasBlob } from '../containerd/existing-root.ts';
import type { PluginMessage, SocketProblem } from '../containerd/probe.ts';
import type { Clock } from '../core/clock.ts';
import { isLayerpullError } from '../core/errors.ts';
import { checkContainerdConfig } from './containerd-config.ts';
import { type Finding, fromError, ok, problem, warning } from './finding.ts';

export interface ContainerdParts {
  /** containerd's `config.toml`. */
  readonly configFile: string;
  /** Somebody named that file: it has to be there. */
  readonly isConfigNamed: boolean;
  /** containerd's socket, where somebody named it. Default: that of its configuration. */
  readonly socket: string | undefined;
  /** The content plugin's socket, where somebody named it. Default: that of containerd's configuration. */
  readonly contentSocket: string | undefined;
  /** What our store has. */
  readonly has: HasBlob;
  /** Of our store; empty where there is none yet. */
  readonly storeId: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Everything between containerd and the content plugin. Little is said where nobody uses the two together. */
export async function checkContainerd(parts: ContainerdParts): Promise<readonly Finding[]> {
  const { configFile, isConfigNamed, socket, contentSocket } = parts;
  const isWanted = isConfigNamed || socket !== undefined || contentSocket !== undefined;
  const config = await readContainerdConfig(configFile).catch((error: unknown) => {
    if (error instanceof UnreadableConfig) return error;
    throw error;
  });
  if (config instanceof UnreadableConfig) {
    if (config.isAbsent && config.file === configFile && !isWanted) {
      return [ok('containerd', `not looked at: there is no ${configFile}`)];
    }
    return [unreadable(config), ...(await checkSockets(parts, undefined))];
  }
  const findings = checkContainerdConfig(config, contentSocket);
  const isUsed = config.contentProxies.length > 0 || isWanted;
  return isUsed
    ? [...findings, ...(await checkSockets(parts, config)), ...(await checkRoot(parts, config))]
    : findings;
}

function unreadable({ file, message, isAbsent }: UnreadableConfig): Finding {
  const hint = isAbsent
    ? 'name the file of containerd with --containerd-config'
    : 'mend it, or run this as root where it may not be read';
  return problem('containerd config', `cannot read ${file}: ${message}`, hint);
}

async function checkSockets(
  parts: ContainerdParts,
  config: ContainerdConfig | undefined,
): Promise<Finding[]> {
  const contentSocket = parts.contentSocket ?? config?.contentProxies[0]?.address;
  const socket = parts.socket ?? config?.socket;
  // Loaded here: nothing else of a doctor needs gRPC.
  const { probeContentService, probeDaemon } = await import('../containerd/probe.ts');
  const findings: Finding[] = [];
  if (contentSocket !== undefined && contentSocket !== '') {
    findings.push(contentFinding(contentSocket, await probeContentService(contentSocket, parts)));
  }
  if (socket === undefined) return findings;
  const daemon = await probeDaemon(socket, parts);
  if ('problem' in daemon)
    return [...findings, daemonProblem(socket, daemon.problem, parts.socket !== undefined)];
  const running = ok(
    'containerd',
    `containerd ${daemon.version || 'of an unknown version'} answers on ${socket}`,
  );
  const plugins = daemon.contentPlugins ?? [];
  return [...findings, running, ...(contentSocket ? checkRunning(plugins, contentSocket) : [])];
}

function contentFinding(socket: string, found: SocketProblem | undefined): Finding {
  if (!found) return ok('content plugin', `answers on ${socket}`);
  const message = `${socket}: ${found.reason}`;
  if (found.kind === 'denied') return problem('content plugin', message, 'run this as root');
  const hint =
    found.kind === 'foreign'
      ? 'see what made that file, and give the plugin another --socket'
      : `start it: layerpull content-plugin --socket ${socket}`;
  return problem('content plugin', message, hint);
}

/** A containerd that is down may be meant so, for the plugin starts first. */
function daemonProblem(socket: string, { kind, reason }: SocketProblem, isNamed: boolean): Finding {
  const message = `${socket}: ${reason}`;
  if (kind === 'denied') return problem('containerd', message, 'run this as root');
  if (kind === 'foreign') return problem('containerd', message, 'name its socket with --containerd-socket');
  const verdict = isNamed ? problem : warning;
  return verdict('containerd', message, 'start containerd once the content plugin runs');
}

/**
 * What a containerd does that runs may be what its file said when it started.
 *
 * @param plugins its content stores; none where it does not tell
 * @param socket that of the content plugin
 */
export function checkRunning(plugins: readonly PluginMessage[], socket: string): Finding[] {
  const failed = plugins.find(({ id, initErr }) => initErr && id !== 'content');
  if (failed?.initErr) {
    const message = `containerd could not load ${failed.id}: ${failed.initErr.message.slice(0, 200)}`;
    return [problem('containerd', message, 'see its log, then restart it')];
  }
  const loaded = plugins.filter(({ initErr }) => !initErr);
  const others = loaded.filter(({ exports }) => exports['address'] !== socket);
  if (plugins.length === 0 || (loaded.length > 0 && others.length === 0)) return [];
  const names = others.map(({ id, exports }) => (exports['address'] ? `${id} (${exports['address']})` : id));
  const message = `the containerd that runs has another content store: ${names.join(', ') || 'none'}`;
  return [problem('containerd', message, 'restart it: it reads its configuration only when it starts')];
}

async function checkRoot(
  { has, storeId }: ContainerdParts,
  { root, contentProxies }: ContainerdConfig,
): Promise<Finding[]> {
  if (contentProxies.length === 0) return [];
  try {
    const error = await checkExistingRoot(root, has, storeId);
    return [
      error
        ? fromError('containerd root', error)
        : ok('containerd root', `${root} has nothing that would be missed`),
    ];
  } catch (error) {
    if (!isLayerpullError(error)) throw error;
    return [warning('containerd root', error.message, error.hint)];
  }
}
