import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import * as v from 'valibot';

const descriptor = v.object({ digest: v.string(), size: v.number() });
const record = v.object({
  name: v.string(),
  platform: v.object({ os: v.string(), architecture: v.string(), variant: v.optional(v.string()) }),
  manifest: descriptor,
  index: v.optional(descriptor),
  ociForm: v.optional(descriptor),
});
const manifest = v.object({ config: descriptor, layers: v.array(descriptor) });
const index = v.object({ manifests: v.array(v.object({ digest: v.string() })) });

/** What is wrong with the images of a store, read without the program: nothing, if every image is whole. */
export function faultsOf(store: string): string[] {
  const records = namesIn(store, 'images').map((name) =>
    v.parse(record, JSON.parse(readFileSync(path.join(store, 'images', name), 'utf8'))),
  );
  const faults = records.flatMap((one) => faultsOfRecord(store, one));
  const listed = v.parse(index, JSON.parse(readFileSync(path.join(store, 'index.json'), 'utf8'))).manifests;
  for (const { name, ociForm, manifest } of records) {
    const { digest } = ociForm ?? manifest;
    if (!listed.some((entry) => entry.digest === digest)) faults.push(`${name}: not in index.json`);
  }
  if (listed.length !== records.length) {
    faults.push(`index.json lists ${listed.length} images, and there are ${records.length}`);
  }
  return faults;
}

function faultsOfRecord(store: string, image: v.InferOutput<typeof record>): string[] {
  const own = [image.manifest, image.index, image.ociForm].filter((one) => one !== undefined);
  const file = blobFile(store, image.manifest.digest);
  const { config, layers } = existsSync(file)
    ? v.parse(manifest, JSON.parse(readFileSync(file, 'utf8')))
    : { config: undefined, layers: [] };
  const needed = [...own, ...(config ? [config] : []), ...layers];
  return needed.flatMap((blob) => {
    const fault = faultOfBlob(store, blob.digest);
    return fault ? [`${image.name}: ${blob.digest} ${fault}`] : [];
  });
}

function faultOfBlob(store: string, digest: string): string | undefined {
  const file = blobFile(store, digest);
  if (!existsSync(file)) {
    const hex = digest.slice(digest.indexOf(':') + 1);
    const inTrash = namesIn(store, 'trash').some((name) => name.endsWith(hex));
    return inTrash ? 'is in the trash' : 'is missing';
  }
  const [algorithm = ''] = digest.split(':');
  const found = createHash(algorithm).update(readFileSync(file)).digest('hex');
  return digest === `${algorithm}:${found}` ? undefined : 'has other bytes';
}

export function blobFile(store: string, digest: string): string {
  return path.join(store, 'blobs', ...digest.split(':'));
}

/** The digests of all blobs that are in their place, in order. */
export function blobsIn(store: string): string[] {
  return ['sha256', 'sha512']
    .flatMap((algorithm) => namesIn(store, 'blobs', algorithm).map((hex) => `${algorithm}:${hex}`))
    .sort();
}

/** Names of what lies in a folder of the store; none where it is not there. */
export function namesIn(store: string, ...folder: string[]): string[] {
  const place = path.join(store, ...folder);
  return existsSync(place) ? readdirSync(place).sort() : [];
}
