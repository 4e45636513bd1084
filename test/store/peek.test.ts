import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { digestOf } from '../../src/core/digest.ts';
import { openStore } from '../../src/store/oci-layout.ts';
import { peekStore } from '../../src/store/peek.ts';
import { tempDir } from '../support/temp.ts';

const bytes = Buffer.from('{"schemaVersion":2}');
const descriptor = { mediaType: 'application/json', digest: digestOf(bytes), size: bytes.length };

async function makeStore(): Promise<string> {
  const folder = path.join(tempDir(), 'store');
  const { putDocument } = await openStore({ path: folder, clock: systemClock });
  await putDocument(descriptor, bytes);
  return folder;
}

describe('a look into a store', () => {
  it('finds nothing and makes nothing where there is none', async () => {
    const folder = path.join(tempDir(), 'store');
    expect(await peekStore(folder)).toBeUndefined();
    expect(existsSync(folder)).toBe(false);
    const other = tempDir();
    expect(await peekStore(other)).toBeUndefined();
    expect(readdirSync(other)).toEqual([]);
    const file = path.join(other, 'file');
    writeFileSync(file, '');
    expect(await peekStore(file)).toBeUndefined();
  });

  it.each(['sha256', 'sha512'] as const)('reads documents by %s, verified', async (algorithm) => {
    const folder = await makeStore();
    const digest = digestOf(bytes, algorithm);
    const { putDocument } = await openStore({ path: folder, clock: systemClock });
    await putDocument({ ...descriptor, digest }, bytes);
    const peek = await peekStore(folder);
    expect(Buffer.from((await peek?.read(digest)) ?? [])).toEqual(bytes);
    expect(await peek?.has({ ...descriptor, digest })).toBe(true);
    expect(await peek?.has({ ...descriptor, digest, size: 1 })).toBe(false);
  });

  it('reads nothing that is damaged, no file, too long or not there', async () => {
    const folder = await makeStore();
    const fileOf = (text: string) => path.join(folder, 'blobs/sha256', digestOf(Buffer.from(text)).slice(7));
    writeFileSync(fileOf('damaged'), 'demaged');
    mkdirSync(fileOf('folder'));
    symlinkSync('nowhere', fileOf('link'));
    const long = Buffer.alloc(4 * 1_048_576 + 1);
    writeFileSync(path.join(folder, 'blobs/sha256', digestOf(long).slice(7)), long);
    const peek = await peekStore(folder);
    for (const content of [
      ...['damaged', 'folder', 'link', 'absent'].map((text) => Buffer.from(text)),
      long,
    ]) {
      expect(await peek?.read(digestOf(content))).toBeUndefined();
    }
  });
});

describe('a document that is kept again', () => {
  it('replaces a damaged copy', async () => {
    const folder = await makeStore();
    const file = path.join(folder, 'blobs/sha256', descriptor.digest.slice(7));
    writeFileSync(file, ' '.repeat(bytes.length));
    const { putDocument } = await openStore({ path: folder, clock: systemClock });
    await putDocument(descriptor, bytes);
    const peek = await peekStore(folder);
    expect(Buffer.from((await peek?.read(descriptor.digest)) ?? [])).toEqual(bytes);
  });
});
