import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { deferred } from '../../src/core/abort.ts';
import { mediaTypes } from '../../src/core/descriptor.ts';
import { answer } from './fake-registry/answer.ts';
import {
  type FakeBlob,
  type FakeManifest,
  type ImageOptions,
  makeBlob,
  makeContent,
} from './fake-registry/content.ts';
import { createFaultPlan, type Fault } from './fake-registry/faults.ts';
import { createGate, type Gate } from './fake-registry/gate.ts';
import type { FakeAuth, LoggedRequest, State } from './fake-registry/state.ts';

export type { FakeBlob, FakeManifest, ImageOptions } from './fake-registry/content.ts';
export { descriptorOf, jsonBlob, madeBytes, makeBlob } from './fake-registry/content.ts';
export type { Fault } from './fake-registry/faults.ts';
export type { Gate } from './fake-registry/gate.ts';
export type { FakeAuth, LoggedRequest } from './fake-registry/state.ts';

export interface FakeRegistryOptions {
  /** Absent: everything may be read. */
  readonly auth?: FakeAuth;
}

/** What `addImage` put into the registry. */
export interface FakeImage {
  /** `HOST/REPOSITORY:TAG` */
  readonly reference: string;
  readonly repository: string;
  readonly tag: string;
  /** What the tag points to: the index, or else the only manifest. */
  readonly digest: string;
  readonly index: FakeBlob | undefined;
  /** One for each platform, in the order given. */
  readonly manifests: readonly FakeManifest[];
  /** The only or first manifest. */
  readonly manifest: FakeManifest;
  /** Config of the only or first manifest. */
  readonly config: FakeBlob;
  /** Shared by all platforms. */
  readonly layers: readonly FakeBlob[];
}

/**
 * A registry on loopback that misbehaves on request. Everything is in memory; nothing depends on timers.
 *
 *     const registry = await createFakeRegistry();
 *     const image = registry.addImage({ layers: [5_000, 100] });
 *     registry.fault(image.layers[0].digest, { kind: 'flaky', afterBytes: 1_000 });
 *     // … pull image.reference …
 *     expect(registry.blobGets(image.layers[0].digest)).toBe(2);
 *     await registry.close();
 */
export interface FakeRegistry {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** In the order of arrival. */
  readonly requests: readonly LoggedRequest[];
  addImage(options?: ImageOptions): FakeImage;
  /** Adds a manifest or index as it is, under its digest and each of `tags`. */
  addManifest(repository: string, manifest: FakeBlob, ...tags: string[]): void;
  /** Adds a blob as it is; blobs are shared by all repositories. */
  addBlob(bytes: Buffer, mediaType?: string): FakeBlob;
  /**
   * The next `times` (1) requests for `target` meet `fault`. Several faults for one target apply one after the other.
   *
   * @param target a digest, a tag, or a whole path such as `/token`
   */
  fault(target: string, fault: Fault, times?: number): void;
  clearFaults(): void;
  /** Sends the first `afterBytes` (0) of this content, to whoever asks, and waits for the gate. */
  hold(digest: string, afterBytes?: number): Gate;
  /** How many GETs named this digest as a blob. */
  blobGets(digest: string): number;
  /** How many GETs named this tag or digest as a manifest. */
  manifestGets(name: string): number;
  /** Content bytes sent for this digest or tag; without one, for everything. */
  bytesSent(name?: string): number;
  /** Resolves once the request number `count` (from 1) for this digest or tag has arrived. */
  arrived(name: string, count?: number): Promise<void>;
  /** Connections that are open now. */
  connections(): Promise<number>;
  /** Ends everything that is under way. Idempotent. */
  close(): Promise<void>;
}

export async function createFakeRegistry(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
  const closing = deferred<void>();
  const state: State = {
    auth: options.auth,
    blobs: new Map(),
    manifests: new Map(),
    presigned: new Map(),
    gates: new Map(),
    faults: createFaultPlan(),
    log: [],
    arrivals: new Set(),
    closed: closing.promise,
    host: '',
  };
  const server = createServer((request, response) => void answer(state, request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  state.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const named = (kind: string, name: string) =>
    state.log.filter(({ method, path }) => method === 'GET' && path.endsWith(`/${kind}/${name}`)).length;
  return {
    host: state.host,
    url: `http://${state.host}`,
    requests: state.log,
    addImage: (image = {}) => addImage(state, image),
    addManifest: (repository, manifest, ...tags) => addManifest(state, repository, manifest, tags),
    addBlob: (bytes, mediaType = mediaTypes.ociLayerGzip) => addBlob(state, makeBlob(bytes, mediaType)),
    fault: (target, fault, times = 1) => state.faults.add(target, fault, times),
    clearFaults: () => state.faults.clear(),
    hold: (digest, afterBytes = 0) => hold(state, digest, afterBytes),
    blobGets: (digest) => named('blobs', digest),
    manifestGets: (name) => named('manifests', name),
    bytesSent: (name) => requestsFor(state, name).reduce((sum, { bytes }) => sum + bytes, 0),
    arrived: (name, count = 1) => arrived(state, name, count),
    connections: () =>
      new Promise((resolve, reject) =>
        server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
      ),
    async close() {
      closing.resolve();
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function addImage(state: State, options: ImageOptions): FakeImage {
  const { repository = 'library/app', tag = 'latest' } = options;
  const { index, manifests, layers } = makeContent(options);
  const [manifest] = manifests;
  if (!manifest) throw new Error('an image needs a platform');
  for (const one of manifests) {
    addManifest(state, repository, one, []);
    addBlob(state, one.config);
  }
  for (const layer of layers) addBlob(state, layer);
  const top = index ?? manifest;
  addManifest(state, repository, top, [tag]);
  const reference = `${state.host}/${repository}:${tag}`;
  return {
    reference,
    repository,
    tag,
    digest: top.digest,
    index,
    manifests,
    manifest,
    config: manifest.config,
    layers,
  };
}

function addManifest(state: State, repository: string, manifest: FakeBlob, tags: readonly string[]): void {
  for (const name of [manifest.digest, ...tags]) state.manifests.set(`${repository}/${name}`, manifest);
}

function addBlob(state: State, blob: FakeBlob): FakeBlob {
  state.blobs.set(blob.digest, blob);
  return blob;
}

function hold(state: State, digest: string, afterBytes: number): Gate {
  const gate = createGate(afterBytes);
  state.gates.set(digest, gate);
  return gate;
}

function requestsFor(state: State, name: string | undefined): readonly LoggedRequest[] {
  return name === undefined ? state.log : state.log.filter(({ path }) => path.endsWith(`/${name}`));
}

async function arrived(state: State, name: string, count: number): Promise<void> {
  while (requestsFor(state, name).length < count) {
    await new Promise<void>((resolve) => state.arrivals.add(resolve));
  }
}
