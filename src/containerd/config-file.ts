import { parse } from 'smol-toml';
import * as v from 'valibot';
import { importedFiles, readConfigText, UnreadableConfig } from './config-texts.ts';

export { UnreadableConfig } from './config-texts.ts';

/** What containerd's `config.toml` says, with all that it imports, as far as a content plugin depends on it. */
export interface ContainerdConfig {
  /** The files that were read, the named one first. */
  readonly files: readonly string[];
  /** 1 where none of them says. */
  readonly version: number;
  readonly disabledPlugins: readonly string[];
  /** Proxy plugins that are content stores. */
  readonly contentProxies: readonly ContentProxy[];
  /** Absolute path of the folder where containerd keeps its data. */
  readonly root: string;
  /** Path of containerd's own socket. */
  readonly socket: string;
  /** Content that one namespace has is not given to another one. */
  readonly isIsolated: boolean;
}

export interface ContentProxy {
  /** `layerpull` in `[proxy_plugins.layerpull]`. */
  readonly name: string;
  /** As it stands there; empty where it is missing. */
  readonly address: string;
}

/** What containerd takes where nobody says. */
export const defaultRoot = '/var/lib/containerd';
export const defaultSocket = '/run/containerd/containerd.sock';

const text = v.optional(v.string(), '');
const texts = v.optional(v.array(v.string()), []);
/** Arrays are records to the library, and no tables. */
const table = v.custom<object>((value) => typeof value === 'object' && !Array.isArray(value));
const proxySchema = v.looseObject({ type: text, address: text });

const fileSchema = v.looseObject({
  version: v.optional(v.pipe(v.number(), v.integer()), 0),
  imports: texts,
  disabled_plugins: texts,
  root: text,
  grpc: v.optional(v.looseObject({ address: text }), {}),
  proxy_plugins: v.optional(v.pipe(table, v.record(v.string(), proxySchema)), {}),
  plugins: v.optional(v.pipe(table, v.record(v.string(), v.unknown())), {}),
});
type FileContent = v.InferOutput<typeof fileSchema>;

/** More files than any containerd has. */
const maxFiles = 100;

/**
 * Reads a configuration as containerd does: what is imported comes after the file that imports it, the last text that is
 * not empty counts, lists are joined, and tables of plugins replace those of the same name.
 *
 * @throws UnreadableConfig also for what containerd would not start with
 */
export async function readContainerdConfig(file: string): Promise<ContainerdConfig> {
  const read = new Map<string, FileContent>();
  const pending = [file];
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    if (read.has(next)) continue;
    if (read.size === maxFiles) throw new UnreadableConfig(file, `it imports more than ${maxFiles} files`);
    const content = parseFile(next, await readConfigText(next));
    read.set(next, content);
    pending.push(...(await importedFiles(next, content.imports)));
  }
  return toConfig([...read.keys()], [...read.values()]);
}

function parseFile(file: string, toml: string): FileContent {
  let document: unknown;
  try {
    document = parse(toml);
  } catch (error) {
    throw new UnreadableConfig(file, `it is no TOML: ${firstLine(error)}`);
  }
  const parsed = v.safeParse(fileSchema, document);
  if (parsed.success) return parsed.output;
  const key = v.getDotPath(parsed.issues[0]);
  throw new UnreadableConfig(file, `it has something for "${key}" that containerd does not take`);
}

/** The other lines repeat a part of the file, which may hold a secret. */
function firstLine(error: unknown): string {
  if (!(error instanceof Error)) return 'it cannot be parsed';
  const [line = ''] = error.message.split('\n');
  const place = 'line' in error ? ` in line ${error.line}` : '';
  return `${line.replace(/^Invalid TOML document: /, '')}${place}`;
}

function toConfig(files: readonly string[], contents: readonly FileContent[]): ContainerdConfig {
  const last = (values: readonly string[]) => values.findLast((value) => value !== '');
  const proxies = new Map(contents.flatMap((one) => Object.entries(one.proxy_plugins)));
  const plugins = new Map(contents.flatMap((one) => Object.entries(one.plugins)));
  return {
    files,
    version: contents.map(({ version }) => version).findLast((version) => version !== 0) ?? 1,
    disabledPlugins: contents.flatMap((one) => one.disabled_plugins),
    contentProxies: [...proxies].filter(([, { type }]) => contentTypes.has(type)).map(toProxy),
    root: last(contents.map(({ root }) => root)) ?? defaultRoot,
    socket: last(contents.map(({ grpc }) => grpc.address ?? '')) ?? defaultSocket,
    isIsolated: sharingOf(plugins.get('io.containerd.metadata.v1.bolt')) === 'isolated',
  };
}

const contentTypes: ReadonlySet<string> = new Set(['content', 'io.containerd.content.v1']);

function toProxy([name, { address }]: readonly [string, v.InferOutput<typeof proxySchema>]): ContentProxy {
  return { name, address };
}

function sharingOf(plugin: unknown): unknown {
  return typeof plugin === 'object' && plugin !== null
    ? Reflect.get(plugin, 'content_sharing_policy')
    : undefined;
}
