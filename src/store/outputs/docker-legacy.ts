import { type Digest, digestHex, digestOf } from '../../core/digest.ts';

/** One layer as docker before 1.10 knew it: an image of its own that names its parent. */
export interface LegacyLayer {
  /** 64 hexadecimal digits. */
  readonly id: string;
  /** The content of `ID/json`. */
  readonly json: string;
  /** Path of its tar in the archive. */
  readonly tar: string;
}

export const legacyVersion = '1.0';

const topFields = [
  'architecture',
  'config',
  'container',
  'container_config',
  'created',
  'docker_version',
  'os',
];

/**
 * Docker Image Specification v1.0, as skopeo writes it beside `manifest.json`: loaders that know only `repositories`
 * find the layers by ids that follow from all that lies below them.
 */
export function legacyLayers(
  diffIds: readonly Digest[],
  config: Readonly<Record<string, unknown>>,
  tarOf: (diffId: Digest) => string,
): LegacyLayer[] {
  const layers: LegacyLayer[] = [];
  let chain: Digest | undefined;
  let parent: string | undefined;
  for (const [at, diffId] of diffIds.entries()) {
    const top = at === diffIds.length - 1 ? pick(config, topFields) : {};
    const fields = { ...top, ...(parent ? { parent } : {}) };
    chain = chain ? digestOf(Buffer.from(`${chain} ${diffId}`)) : diffId;
    const id = digestHex(digestOf(Buffer.from(`${chain}${JSON.stringify(fields)}`)));
    layers.push({ id, json: JSON.stringify({ id, ...fields }), tar: tarOf(diffId) });
    parent = id;
  }
  return layers;
}

/** `repositories`: name and tag of the topmost layer. */
export function repositoriesOf(
  names: readonly string[],
  top: string,
): Record<string, Record<string, string>> {
  const repositories: Record<string, Record<string, string>> = {};
  for (const name of names) {
    const colon = name.lastIndexOf(':');
    repositories[name.slice(0, colon)] = { [name.slice(colon + 1)]: top };
  }
  return repositories;
}

function pick(fields: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.flatMap((name) => (name in fields ? [[name, fields[name]]] : [])));
}
