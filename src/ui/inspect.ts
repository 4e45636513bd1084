import type { ImageDetails, StoredBlob } from '../orchestrator/look.ts';
import { listedDocument } from './images.ts';
import { renderTable } from './table.ts';
import { formatBytes, oneLine } from './text.ts';

/** The text of `inspect`: what it is, how it runs, what it consists of. */
export async function renderDetails(details: ImageDetails): Promise<string> {
  const lines = [...facts(details), ...runLines(details)].map(
    ([name, value]) => `${`${name}:`.padEnd(13)}${value}`,
  );
  const blobs: [string, StoredBlob][] = [['config', details.config]];
  for (const [place, layer] of details.layers.entries()) blobs.push([`layer ${place + 1}`, layer]);
  const table = await renderTable(['', 'DIGEST', 'SIZE', 'MEDIA TYPE', 'STATE'], blobs.map(row));
  return [...lines, '', table].join('\n');
}

type Fact = readonly [name: string, value: string];

function facts(details: ImageDetails): Fact[] {
  const { name, digest, manifestDigest, platform, size, pulledAtMs, mediaType } = details;
  return [
    ['Name', oneLine(name)],
    ['Digest', digest],
    ['Manifest', manifestDigest],
    ['Media type', oneLine(mediaType)],
    ['Platform', oneLine(platform)],
    ['Size', size === undefined ? '?' : formatBytes(size)],
    ['Pulled', new Date(pulledAtMs).toISOString()],
  ];
}

function runLines({ run, annotations }: ImageDetails): Fact[] {
  if (!run) return namedLines('Annotation', annotations);
  const command = (words: readonly string[]) => oneLine(JSON.stringify(words));
  return [
    ...given('Created', run.created),
    ...given('Author', run.author),
    ...given('User', run.user),
    ...given('Working dir', run.workingDir),
    ...(run.entrypoint.length > 0 ? [['Entrypoint', command(run.entrypoint)] as const] : []),
    ...(run.cmd.length > 0 ? [['Command', command(run.cmd)] as const] : []),
    ...run.env.map((one): Fact => ['Env', oneLine(one)]),
    ...run.exposedPorts.map((one): Fact => ['Port', oneLine(one)]),
    ...run.volumes.map((one): Fact => ['Volume', oneLine(one)]),
    ...namedLines('Label', run.labels),
    ...namedLines('Annotation', annotations),
  ];
}

function given(name: string, value: string | undefined): Fact[] {
  return value ? [[name, oneLine(value)]] : [];
}

function namedLines(name: string, entries: Readonly<Record<string, string>>): Fact[] {
  return Object.entries(entries).map(([key, value]) => [name, oneLine(`${key}=${value}`)]);
}

function row([name, { digest, size, mediaType, present }]: [string, StoredBlob]): string[] {
  return [name, digest, formatBytes(size), oneLine(mediaType), present ? 'present' : 'missing'];
}

/** The document of `inspect --json`: `docs/json.md`. */
export function inspectDocument(store: string, details: ImageDetails): object {
  const { mediaType, annotations, config, layers, run, ...listed } = details;
  return { store, ...listedDocument(listed), mediaType, annotations, config, layers, run: run ?? null };
}
