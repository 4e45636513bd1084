import type { Digest } from '../core/digest.ts';
import type { ListedImage } from '../orchestrator/look.ts';
import { renderTable } from './table.ts';
import { formatBytes, formatDuration, oneLine } from './text.ts';

export interface ImagesView {
  /** Whole digests instead of their beginnings. */
  readonly digests: boolean;
  /** Milliseconds since the Unix epoch. */
  readonly wallMs: number;
}

/** The text of `images`. */
export async function renderImages(images: readonly ListedImage[], view: ImagesView): Promise<string> {
  const rows = images.map((image) => row(image, view));
  return await renderTable(['NAME', 'DIGEST', 'PLATFORM', 'SIZE', 'PULLED'], rows);
}

function row({ name, digest, platform, size, pulledAtMs }: ListedImage, view: ImagesView): string[] {
  return [
    oneLine(name),
    view.digests ? digest : beginningOf(digest),
    oneLine(platform),
    size === undefined ? '?' : formatBytes(size),
    `${formatDuration(view.wallMs - pulledAtMs)} ago`,
  ];
}

/** Twelve digits, which every command takes as well. */
function beginningOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1).slice(0, 12);
}

/** The text of `images -q`: each name once, as other commands take it. */
export function imageNames(images: readonly ListedImage[]): string[] {
  return [...new Set(images.map(({ name }) => name))];
}

/** The document of `images --json`: `docs/json.md`. */
export function imagesDocument(store: string, images: readonly ListedImage[]): object {
  return { store, images: images.map(listedDocument) };
}

export function listedDocument({ pulledAtMs, size, ...image }: ListedImage): object {
  return { ...image, size: size ?? null, pulledAt: new Date(pulledAtMs).toISOString() };
}
