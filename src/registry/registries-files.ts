import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, systemCodeOf } from '../core/errors.ts';
import {
  createRegistriesConf,
  type RegistriesConf,
  type RegistriesFile,
  unusable,
} from './registries-conf.ts';

/** Where `registries.conf` may be. */
export interface RegistriesPlaces {
  /** The first whose file is there counts, else the last. */
  readonly choices: readonly RegistriesPlace[];
  /** Somebody named the file: it has to be there. */
  readonly required: boolean;
}

/** Absolute paths. */
export interface RegistriesPlace {
  readonly file: string;
  /** Folders of `*.conf` that count after it, each in the order of names. */
  readonly folders: readonly string[];
}

const maxFileBytes = 1_048_576;

/**
 * Reads what there is; undefined where there is nothing, which costs one look for each place.
 *
 * @throws LayerpullError `usage`
 */
export async function loadRegistriesConf(places: RegistriesPlaces): Promise<RegistriesConf | undefined> {
  const texts = await readChosen(places);
  if (texts.length === 0) return undefined;
  const { parse } = await import('smol-toml');
  return createRegistriesConf(texts.map((one) => parsed(one, parse)));
}

interface ConfText {
  readonly path: string;
  readonly text: string;
}

async function readChosen({ choices, required }: RegistriesPlaces): Promise<ConfText[]> {
  for (const [index, { file, folders }] of choices.entries()) {
    const main = await readConf(file);
    if (!main && required) throw unusable(file, 'is not there');
    if (!main && index < choices.length - 1) continue;
    return [...(main ? [main] : []), ...(await Promise.all(folders.map(readFolder))).flat()];
  }
  return [];
}

async function readFolder(folder: string): Promise<ConfText[]> {
  const names = await readdir(folder).catch(() => []);
  const confs = names.filter((name) => name.endsWith('.conf')).sort();
  const texts = await Promise.all(confs.map((name) => readConf(path.join(folder, name))));
  return texts.filter((text) => text !== undefined);
}

async function readConf(file: string): Promise<ConfText | undefined> {
  try {
    const { size } = await stat(file);
    if (size > maxFileBytes) throw unusable(file, `is longer than ${maxFileBytes} bytes`);
    return { path: file, text: await readFile(file, 'utf8') };
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw code === undefined ? error : unusable(file, `cannot be read: ${messageOf(error)}`, error);
  }
}

function parsed({ path: file, text }: ConfText, parse: (text: string) => unknown): RegistriesFile {
  try {
    return { path: file, document: parse(text) };
  } catch (error) {
    throw unusable(file, `is no TOML: ${firstLine(error)}`, error);
  }
}

/** The others repeat a part of the file. */
function firstLine(error: unknown): string {
  const [line = ''] = error instanceof Error ? error.message.split('\n') : [];
  const place = error instanceof Error && 'line' in error ? ` in line ${error.line}` : '';
  return `${line.replace(/^Invalid TOML document: /, '')}${place}`;
}
