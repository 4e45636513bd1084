import { afterEach } from 'vitest';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import type { Descriptor, Platform } from '../../src/core/descriptor.ts';
import { createRegistry } from '../../src/registry/client.ts';
import type { ImageRegistry, ResolvedImage } from '../../src/registry/image-registry.ts';
import { parseReference } from '../../src/registry/reference.ts';
import { createRegistriesConf } from '../../src/registry/registries-conf.ts';
import type { BlobSource } from '../../src/source/blob-source.ts';
import { resuming } from '../../src/source/resume.ts';
import { createFakeRegistry, type FakeRegistry, type FakeRegistryOptions } from '../support/fake-registry.ts';

export const amd64: Platform = { os: 'linux', architecture: 'amd64' };

export interface Rig {
  readonly fake: FakeRegistry;
  readonly client: ImageRegistry;
  resolve(reference: string, platform?: Platform): Promise<ResolvedImage>;
  /** The error of `resolve`. */
  failure(reference: string, platform?: Platform): Promise<unknown>;
  /** Reads a blob of `library/app`. */
  read(layer: Descriptor, offset?: number): Promise<Buffer>;
  /** The same as a pull does it, without pauses: a transfer that breaks goes on. */
  readResuming(layer: Descriptor, offset?: number): Promise<Buffer>;
}

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

export interface RigOptions extends FakeRegistryOptions {
  readonly clock?: Clock;
  readonly stallMs?: number;
  readonly requestsPerSecond?: number;
  /** registries.conf calls the registry insecure: it is asked over https first, which it does not speak. */
  readonly insecure?: boolean;
}

/** A fake registry and a client for it, without pauses between retries; both end with the test. */
export async function createRig(options: RigOptions = {}): Promise<Rig> {
  const fake = await createFakeRegistry(options);
  cleanups.push(() => fake.close());
  const { clock = systemClock, stallMs, requestsPerSecond, insecure = false } = options;
  const client = createRegistry({
    userAgent: 'layerpull/test',
    clock,
    bounds: { delayMs: 0 },
    ...(stallMs === undefined ? {} : { stallMs }),
    ...(requestsPerSecond === undefined ? {} : { requestsPerSecond }),
    ...(insecure ? { mirrors: callingInsecure(fake.host) } : {}),
  });
  cleanups.push(() => client.close());
  const resolve = (reference: string, platform = amd64) =>
    client.resolve(parseReference(reference), { platform }, new AbortController().signal);
  const blobs = () => client.blobs(parseReference(`${fake.host}/library/app`));
  return {
    fake,
    client,
    resolve,
    failure: (reference, platform) => errorOf(resolve(reference, platform)),
    read: (layer, offset) => readAll(blobs(), layer, offset),
    readResuming: (layer, offset) => readAll(resuming(blobs(), { clock, delayMs: 0 }), layer, offset),
  };
}

function callingInsecure(location: string) {
  const document = { registry: [{ location, insecure: true }] };
  return { loadRegistriesConf: async () => createRegistriesConf([{ path: 'tests', document }]) };
}

async function readAll(source: BlobSource, layer: Descriptor, offset = 0): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const { signal } = new AbortController();
  for await (const chunk of source.open(layer, { offset, signal })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export function errorOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** The first of something that the test put there. */
export function first<T>(list: readonly T[]): T {
  const [one] = list;
  if (one === undefined) throw new Error('the list is empty');
  return one;
}
