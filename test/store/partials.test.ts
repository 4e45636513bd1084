import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import fsPromises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { toSessionId } from '../../src/core/ids.ts';
import { blobOf } from '../support/blobs.ts';
import { onCleanup } from '../support/cleanup.ts';
import { spawnProcess } from '../support/processes.ts';
import { testProgram } from '../support/test-program.ts';
import { setUpStore } from './support.ts';

const layer = blobOf('x'.repeat(1_000));

/** A store with partials of 0, 300 and 400 bytes, whose writers are gone. */
async function setUpPartials() {
  const setup = await setUpStore();
  const folder = path.join(setup.folder, 'ingest', layer.digest.replace(':', '-'));
  mkdirSync(folder);
  for (const bytes of [0, 300, 400])
    writeFileSync(path.join(folder, `gone-${bytes}`), layer.bytes.subarray(0, bytes));
  const take = async () => {
    const ingest = await setup.blobs.ingest(layer, { session: toSessionId('next') });
    onCleanup(() => ingest.close());
    return ingest;
  };
  return { ...setup, take, names: () => readdirSync(folder).sort() };
}

/** Lets the system say that so many bytes are free. */
function sayFree(bytes: number, blocks = 1_000_000): void {
  const { statfs } = fsPromises;
  const put = (replaced: unknown) => {
    Object.assign(fsPromises, { statfs: replaced });
    syncBuiltinESMExports();
  };
  put(async () => ({ blocks, bavail: bytes, bsize: 1 }));
  onCleanup(() => put(statfs));
}

describe('the partials of dead pulls', () => {
  it('are gone once the next pull has copied the longest', async () => {
    const { take, names, claim, blobs } = await setUpPartials();
    await claim(layer);
    const ingest = await take();
    expect(ingest.offset).toBe(400);
    expect(names()).toEqual(['next-alone']);
    await ingest.write(layer.bytes.subarray(400));
    await ingest.commit();
    expect(await blobs.has(layer)).toBe(true);
  });

  it('stay while another process needs the blob, and may be writing it', async () => {
    const { take, names, claim, folder } = await setUpPartials();
    await claim(layer);
    const program = await testProgram('claim-holder');
    const other = await spawnProcess(process.execPath, [program, folder, layer.digest], { env: process.env });
    await other.stdout.waitFor(/claimed/);
    sayFree(0);
    expect((await take()).offset).toBe(400);
    expect(names()).toEqual(['gone-0', 'gone-300', 'gone-400', 'next-alone']);
  });

  it('stay where nobody says who needs the blob', async () => {
    const { take, names } = await setUpPartials();
    expect((await take()).offset).toBe(400);
    expect(names()).toHaveLength(4);
  });

  it('are given up where there is room for the blob in their place, and none for a copy beside them', async () => {
    const { take, names, claim } = await setUpPartials();
    await claim(layer);
    sayFree(300);
    expect((await take()).offset).toBe(0);
    expect(names()).toEqual(['next-alone']);
  });

  it.each([
    ['there is room for a copy', 400, 1_000],
    ['there is no room for the blob either', 299, 1_000],
    ['the file system does not say', 0, 0],
  ])('are copied where %s', async (_, bytes, blocks) => {
    const { take, claim } = await setUpPartials();
    await claim(layer);
    sayFree(bytes, blocks);
    expect((await take()).offset).toBe(400);
  });
});
