import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { inRoot } from './root.ts';
import { parseStrictYaml, type YamlValue } from './strict-yaml.ts';

const folder = inRoot('examples', 'deploy');

/** Paths below examples/deploy, sorted. */
export function deployFiles(): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name))).sort();
}

export function readDeployFile(file: string): string {
  return readFileSync(path.join(folder, file), 'utf8');
}

/** A setting of a systemd unit, in the order of the file. */
export interface UnitSetting {
  readonly section: string;
  readonly name: string;
  readonly value: string;
}

/** @throws on a line that is no section, setting, comment or blank */
export function readUnit(file: string): UnitSetting[] {
  let section = '';
  return readDeployFile(file)
    .split('\n')
    .flatMap((line) => {
      if (line === '' || line.startsWith('#')) return [];
      const heading = /^\[([A-Z][a-z]+)\]$/.exec(line)?.[1];
      if (heading !== undefined) section = heading;
      if (heading !== undefined) return [];
      const [, name, value] = /^([A-Z]\w+)=(.*)$/.exec(line) ?? [];
      if (name === undefined || value === undefined) throw new Error(`${file}: not a setting: ${line}`);
      return [{ section, name, value }];
    });
}

/** The documents of a Kubernetes file. */
export function readResources(file: string): Resource[] {
  return parseStrictYaml(readDeployFile(file)).map((value) => new Resource(value));
}

/** A part of a Kubernetes document, with errors that say what is missing. */
export class Resource {
  readonly value: YamlValue;

  constructor(value: YamlValue) {
    this.value = value;
  }

  /** What is at a path such as `spec.template`. @throws when it is not there */
  at(keys: string): Resource {
    const found = keys
      .split('.')
      .reduce<YamlValue | undefined>((value, key) => childOf(value, key), this.value);
    if (found === undefined) throw new Error(`no ${keys}`);
    return new Resource(found);
  }

  /** The parts of a sequence; none where it is absent. */
  list(keys: string): Resource[] {
    const found = keys
      .split('.')
      .reduce<YamlValue | undefined>((value, key) => childOf(value, key), this.value);
    return Array.isArray(found) ? found.map((value) => new Resource(value)) : [];
  }

  /** @throws when it is no text */
  text(keys: string): string {
    const { value } = this.at(keys);
    if (typeof value !== 'string') throw new Error(`${keys} is no text`);
    return value;
  }
}

function childOf(value: YamlValue | undefined, key: string): YamlValue | undefined {
  return typeof value === 'object' && !Array.isArray(value) ? value[key] : undefined;
}

/** A command line of layerpull that a file has: `agent`, and `--server` with others. */
export interface CommandLine {
  readonly file: string;
  readonly command: string;
  readonly flags: readonly string[];
}

/** How the files start layerpull. */
export function commandLines(): CommandLine[] {
  return deployFiles().flatMap((file) => {
    if (file.endsWith('.service')) return linesOfUnit(file);
    if (path.basename(file) === 'compose.yaml') return linesOfCompose(file);
    if (file.endsWith('.yaml')) return linesOfResources(file);
    return [];
  });
}

function linesOfUnit(file: string): CommandLine[] {
  const starts = readUnit(file).filter(({ name }) => name === 'ExecStart');
  const ours = starts.filter(({ value }) => value.startsWith('/usr/local/bin/layerpull '));
  return ours.map(({ value }) => toCommandLine(file, value.split(' ').slice(1)));
}

/** A service of a compose file. */
export interface ComposeService {
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
}

export function readComposeServices(file: string): ComposeService[] {
  return readResources(file).flatMap((resource) => {
    const { value } = resource.at('services');
    const names = typeof value === 'object' ? Object.keys(value) : [];
    return names.map((name) => ({
      name,
      image: resource.text(`services.${name}.image`),
      command: resource.list(`services.${name}.command`).map((word) => `${word.value}`),
    }));
  });
}

function linesOfCompose(file: string): CommandLine[] {
  const ours = readComposeServices(file).filter(({ image }) => image.includes('/layerpull:'));
  return ours.map(({ command }) => toCommandLine(file, command));
}

function linesOfResources(file: string): CommandLine[] {
  const containers = readResources(file).flatMap((resource) =>
    resource.list('spec.template.spec.containers'),
  );
  return containers.map((container) =>
    toCommandLine(
      file,
      container.list('args').map(({ value }) => `${value}`),
    ),
  );
}

function toCommandLine(file: string, [command = '', ...words]: readonly string[]): CommandLine {
  const flags = words.filter((word) => word.startsWith('-'));
  return { file, command, flags: flags.map((word) => word.replace(/=.*$/, '')) };
}
