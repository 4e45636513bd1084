import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { runCli } from '../support/cli.ts';
import { describeWith } from '../support/components.ts';
import { pushImage } from '../support/images.ts';
import { startRegistry } from '../support/real-registry.ts';
import { skopeo } from '../support/skopeo.ts';
import { tempDir } from '../support/temp.ts';
import { blobFile, faultsOf } from '../support/whole-store.ts';

interface Record {
  readonly name: string;
  readonly ociForm?: { readonly digest: string };
}

function recordsOf(store: string): (Record & { readonly file: string })[] {
  const folder = path.join(store, 'images');
  return readdirSync(folder).map((name) => {
    const file = path.join(folder, name);
    return { ...(JSON.parse(readFileSync(file, 'utf8')) as Record), file };
  });
}

/** Other bytes of the same length. */
function spoil(file: string): void {
  const bytes = readFileSync(file);
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  writeFileSync(file, bytes);
}

describeWith(['docker-registry', 'skopeo'], 'a store from a real registry', () => {
  test('is damaged in every way, told of, repaired, pulled again and whole', async () => {
    const registry = await startRegistry();
    const platforms = ['linux/amd64', 'linux/arm64'];
    const image = await pushImage(registry, 'team/first', {
      layers: [300_000, 200, 5],
      platforms,
      docker: true,
    });
    const second = await pushImage(registry, 'team/second', { layers: [70_000] });
    const store = path.join(tempDir(), 'store');
    const pull = (reference: string) =>
      runCli(['pull', reference, '--store', store, '--platform', 'linux/amd64']);
    for (const { reference } of [image, second]) expect((await pull(reference)).code).toBe(0);
    const verify = async (...more: string[]) => {
      const { code, stdout } = await runCli(['verify', '--store', store, '--json', ...more]);
      return { code, ...JSON.parse(stdout) };
    };
    expect(await verify()).toMatchObject({ code: 0, images: 2, problems: [], notes: [] });

    const [first, other] = recordsOf(store).toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const layers = [image, second].flatMap((one) => one.layers.map(({ digest }) => digest));
    const [flipped = '', cut = '', gone = ''] = layers.filter((digest) =>
      existsSync(blobFile(store, digest)),
    );
    const form = first?.ociForm?.digest ?? 'none';
    spoil(blobFile(store, flipped));
    truncateSync(blobFile(store, cut), 3);
    rmSync(blobFile(store, gone));
    rmSync(blobFile(store, form));
    writeFileSync(other?.file ?? '', '{"name": 1}');
    writeFileSync(path.join(store, 'index.json'), '{');

    const found = await verify();
    expect(found.code).toBe(6);
    const told = found.problems.map(({ kind, digest = '' }: { kind: string; digest?: string }) => [
      kind,
      digest,
    ]);
    expect(told.toSorted()).toEqual(
      [
        ['index', ''],
        ['missing', form],
        ['missing', gone],
        ['record', ''],
        ['wrong', cut],
        ['wrong', flipped],
      ].toSorted(),
    );

    const repaired = await verify('--repair');
    expect(repaired.code).toBe(6);
    expect(new Set(repaired.problems.map(({ kind }: { kind: string }) => kind))).toEqual(
      new Set(['missing']),
    );
    expect(repaired.repaired).toHaveLength(4);

    for (const { reference } of [image, second]) expect((await pull(reference)).code).toBe(0);
    expect(await verify()).toMatchObject({ code: 0, images: 2, problems: [] });
    expect(faultsOf(store)).toEqual([]);
    for (const { name } of recordsOf(store)) {
      await skopeo('copy', `oci:${store}:${name}`, `dir:${tempDir()}`);
    }
  });
});
