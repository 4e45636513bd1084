import { parse } from 'smol-toml';
import * as v from 'valibot';
import { wrongFile } from './file-error.ts';
import type { ConfigFile } from './values.ts';

/** These belong to one run: to stand in a file, they would have to be meant for every run. */
const neverInFile: ReadonlySet<string> = new Set(
  'config help version json dry-run force repair username password password-stdin image nodes print-config'.split(
    ' ',
  ),
);

/** What the table of a registry may set. */
const registrySettings: ReadonlySet<string> = new Set(['mirror', 'mirror-count', 'mirror-order']);

const valueSchema = v.union([v.string(), v.number(), v.boolean(), v.array(v.string())]);
const tableSchema = v.record(v.string(), v.unknown());
type Table = v.InferOutput<typeof tableSchema>;

/**
 * What a configuration file says.
 *
 * @param flagNames of all commands
 * @throws LayerpullError `usage` for anything that it may not say
 */
export function parseConfigFile(path: string, text: string, flagNames: Iterable<string>): ConfigFile {
  const names = new Set([...flagNames].filter((name) => !neverInFile.has(name)));
  return { path, ...readTables(path, parseToml(path, text), names) };
}

function parseToml(path: string, text: string): Table {
  try {
    return parse(text);
  } catch (error) {
    throw wrongFile(path, `is no TOML: ${firstLine(error)}`);
  }
}

/** The other lines repeat a part of the file, which may hold a secret. */
function firstLine(error: unknown): string {
  if (!(error instanceof Error)) return 'it cannot be read';
  const [line = ''] = error.message.split('\n');
  const place = 'line' in error ? ` in line ${error.line}` : '';
  return `${line.replace(/^Invalid TOML document: /, '')}${place}`;
}

function readTables(path: string, document: Table, names: ReadonlySet<string>): Omit<ConfigFile, 'path'> {
  const { registry = {}, ...rest } = document;
  const tables = v.safeParse(v.record(v.string(), tableSchema), registry);
  if (!tables.success) throw wrongFile(path, 'has a registry that is no table', registryHint);
  const registries = Object.entries(tables.output).map(([name, table]) => {
    return [
      registryName(path, name),
      readSettings(`${path}: [registry."${name}"]`, table, registrySettings),
    ] as const;
  });
  return { settings: readSettings(path, rest, names), registries: new Map(registries) };
}

const registryHint = 'write [registry."docker.io"], and below it mirror = ["https://mirror.example"]';

function registryName(path: string, name: string): string {
  const isHost = /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?$/.test(name);
  if (!isHost) throw wrongFile(path, `has "${name}" for a registry`, registryHint);
  return name === 'index.docker.io' || name === 'registry-1.docker.io' ? 'docker.io' : name.toLowerCase();
}

function readSettings(where: string, table: Table, names: ReadonlySet<string>): ReadonlyMap<string, string> {
  return new Map(Object.entries(table).map(([name, value]) => [name, readValue(where, name, value, names)]));
}

function readValue(where: string, name: string, value: unknown, names: ReadonlySet<string>): string {
  if (!names.has(name)) {
    const hint = neverInFile.has(name)
      ? 'give it on the command line'
      : `it may say ${[...names].sort().join(', ')}`;
    throw wrongFile(where, `has the unknown key "${name}"`, hint);
  }
  const parsed = v.safeParse(valueSchema, value);
  if (!parsed.success)
    throw wrongFile(where, `has something for "${name}" that is no text, number, switch or list`);
  return Array.isArray(parsed.output) ? joined(where, name, parsed.output) : String(parsed.output);
}

function joined(where: string, name: string, parts: readonly string[]): string {
  if (parts.some((part) => part.includes(',')))
    throw wrongFile(where, `has a comma in an entry of "${name}"`);
  return parts.join(',');
}
