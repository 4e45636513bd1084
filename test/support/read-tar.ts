import { extract } from 'tar-stream';

/** An entry of a tar. */
export interface TarEntry {
  readonly name: string;
  readonly type: string;
  readonly linkname: string | undefined;
  readonly mode: number;
  readonly bytes: Buffer;
}

/** All entries of a tar, in their order. @throws when it is damaged or ends too early */
export async function readTar(tar: Uint8Array): Promise<TarEntry[]> {
  const extractor = extract();
  extractor.end(tar);
  const entries: TarEntry[] = [];
  for await (const entry of extractor) {
    const pieces: Uint8Array[] = [];
    for await (const piece of entry as AsyncIterable<Uint8Array>) pieces.push(piece);
    const { name, type, linkname, mode } = entry.header;
    entries.push({ name, type, linkname: linkname || undefined, mode, bytes: Buffer.concat(pieces) });
  }
  return entries;
}

/** The content of an entry by its name. @throws when there is none, or more than one */
export function contentOf(entries: readonly TarEntry[], name: string): Buffer {
  const found = entries.filter((entry) => entry.name === name);
  if (found.length !== 1 || !found[0]) throw new Error(`${found.length} entries are named ${name}`);
  return found[0].bytes;
}
