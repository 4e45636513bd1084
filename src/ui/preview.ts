import { shortDigest } from '../core/digest.ts';
import type { BlobState, PreviewedBlob, PullPreview } from '../orchestrator/preview.ts';
import { renderTable } from './table.ts';
import { formatBytes, oneLine, plural } from './text.ts';

/** The text of `pull --dry-run`: the image, a line for each blob, and what there is to fetch. */
export async function renderPreview(preview: PullPreview): Promise<string> {
  const { layers } = preview;
  const table = await renderTable(['DIGEST', 'SIZE', 'STATE', 'TYPE'], layers.map(row));
  return [headOf(preview), '', table, '', summaryOf(preview)].join('\n');
}

function headOf({ reference, digest, platforms }: PullPreview): string {
  const names = platforms.map(({ platform }) => oneLine(platform)).join(', ');
  return `${oneLine(reference)}: ${digest} (${names})`;
}

function row({ digest, size, state, mediaType }: PreviewedBlob): string[] {
  return [shortDigest(digest), formatBytes(size), said[state], mediaType];
}

const said: Readonly<Record<BlobState, string>> = {
  present: 'present',
  embedded: 'in the manifest',
  missing: 'to fetch',
};

function summaryOf({ layers, bytesPresent, bytesToFetch }: PullPreview): string {
  const count = (state: BlobState) => layers.filter((layer) => layer.state === state).length;
  const toFetch = `${count('missing')} to fetch (${formatBytes(bytesToFetch)})`;
  return `${plural(layers.length, 'blob')}: ${count('present')} present (${formatBytes(bytesPresent)}), ${toFetch}`;
}
