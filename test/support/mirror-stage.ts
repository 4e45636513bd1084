import { abortable } from '../../src/core/abort.ts';
import { type Descriptor, mediaTypes } from '../../src/core/descriptor.ts';
import type { Digest } from '../../src/core/digest.ts';
import { LayerpullError } from '../../src/core/errors.ts';
import { createMirrorContent, type MirrorContentOptions } from '../../src/peer/mirror-content.ts';
import type { AccessProof, Caller, ProofFiles } from '../../src/peer/mirror-port.ts';
import type { Credential } from '../../src/registry/credentials/credentials.ts';
import type { Readers } from '../../src/registry/readers.ts';
import { type ImageReference, parseReference } from '../../src/registry/reference.ts';
import { createFakeClock } from './fake-clock.ts';
import { jsonBlob, makeBlob } from './fake-registry.ts';

/** How the only registry of a stage answers. */
export interface StageRegistry {
  /** Absent: everyone may read. Else the one password that lets in. */
  password?: string;
  /** What it fails with. */
  failure?: LayerpullError | undefined;
  /** It takes questions and says nothing. */
  isSilent?: boolean;
  /** Manifests by tag. */
  readonly tags: Map<string, Digest>;
  /** Questions that it was asked, such as `HEAD latest`. */
  readonly asked: string[];
}

/** Everyone's proofs, as they would lie in files. */
export function createProofFiles(): ProofFiles & { readonly files: Map<string, readonly AccessProof[]> } {
  const files = new Map<string, readonly AccessProof[]>();
  return {
    files,
    key: async () => Buffer.from('a key of the tests'),
    read: async (repository) => files.get(repository) ?? [],
    write: async (repository, proofs) => void files.set(repository, proofs),
  };
}

export const down = () => new LayerpullError('registry_unreachable', 'cannot reach it');

/** `Authorization` of somebody with this password. */
export const withPassword = (password: string): Caller => ({
  authorization: `Basic ${Buffer.from(`me:${password}`).toString('base64')}`,
});

export const nobody: Caller = {};

/** A mirror's content over a registry that is a few maps, at a time that stands still. */
export function createMirrorStage(
  options: Partial<
    Pick<MirrorContentOptions, 'agent' | 'offlineTtlMs' | 'registries' | 'askOthers' | 'proofFiles'>
  > = {},
) {
  const clock = createFakeClock();
  const registry: StageRegistry = { tags: new Map(), asked: [] };
  const layer = makeBlob(Buffer.from('the layer'), mediaTypes.ociLayerGzip);
  const other = makeBlob(Buffer.from('not of this image'), mediaTypes.ociLayerGzip);
  const config = jsonBlob({ os: 'linux' }, mediaTypes.ociConfig);
  const list = ({ mediaType, digest, size }: Descriptor) => ({ mediaType, digest, size });
  const manifest = jsonBlob(
    { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: list(config), layers: [list(layer)] },
    mediaTypes.ociManifest,
  );
  const index = jsonBlob(
    { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [list(manifest)] },
    mediaTypes.ociIndex,
  );
  const content = new Map([layer, other, config, manifest, index].map((blob) => [blob.digest, blob]));
  registry.tags.set('latest', index.digest);
  const stored = new Map<Digest, Uint8Array>();

  const letIn = (reference: ImageReference, credential: Credential | undefined, asked: string) => {
    registry.asked.push(`${asked} ${reference.digest ?? reference.tag}`);
    if (registry.failure) throw registry.failure;
    if (registry.password === undefined) return;
    if (credential?.kind === 'password' && credential.password === registry.password) return;
    throw new LayerpullError('access_denied', 'no');
  };
  const found = (digest: Digest | undefined) => {
    const blob = digest && content.get(digest);
    if (!blob) throw new LayerpullError('image_not_found', 'not there');
    return blob;
  };
  const readers: Readers = {
    as: (credentials) => ({
      async prove(reference, signal) {
        if (registry.isSilent) return await abortable(new Promise<never>(() => {}), signal);
        const credential = await credentials.find(reference.registry, reference.repository, signal);
        letIn(reference, credential, 'HEAD');
        const { digest, size, mediaType } = found(reference.digest ?? registry.tags.get(reference.tag ?? ''));
        return { digest, size, mediaType, isAnonymous: registry.password === undefined };
      },
      async document() {
        throw new Error('every size is known here');
      },
      blobs: (reference) => ({
        url: `https://${reference.registry}`,
        async *open({ digest }, { signal }) {
          const credential = await credentials.find(reference.registry, reference.repository, signal);
          letIn({ ...reference, digest }, credential, 'GET');
          yield found(digest).bytes;
        },
      }),
    }),
    close: async () => {},
  };
  const mirror = createMirrorContent({
    proofFiles: createProofFiles(),
    ...options,
    readers,
    clock,
    store: {
      document: async (digest) => stored.get(digest),
      keep: async ({ digest }, bytes) => void stored.set(digest, bytes),
      bring: async (_, { digest }, source, signal) => {
        if (!content.has(digest)) throw new Error('nobody has it');
        registry.asked.push(`GET ${digest} of ${source.url}`);
        if (registry.failure) throw registry.failure;
        signal.throwIfAborted();
        stored.set(digest, found(digest).bytes);
      },
      async *read(_, descriptor, source, range, signal) {
        for await (const chunk of source.open(descriptor, { signal })) {
          yield chunk.subarray(range.start, range.end + 1);
        }
      },
    },
  });
  const { signal } = new AbortController();
  const ref = (text: string) => parseReference(`registry.example/app${text}`);
  return {
    ...{ clock, registry, mirror, layer, other, config, manifest, index, stored },
    resolve: async (what: string, caller: Caller = nobody) =>
      (await mirror.resolve(ref(what), caller, signal)).descriptor.digest,
    /** `ok`, or the code of the error. */
    outcome: async (what: string, caller: Caller = nobody): Promise<string> =>
      await outcomeOf(mirror.resolve(ref(what), caller, signal)),
    blob: async ({ digest }: Descriptor, caller: Caller = nobody): Promise<string> =>
      await outcomeOf(mirror.blob({ ...ref(`@${digest}`), digest }, caller, signal)),
    mirrorOf: ref,
    signal,
  };
}

async function outcomeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'ok';
  } catch (error) {
    if (error instanceof LayerpullError) return error.code;
    throw error;
  }
}
