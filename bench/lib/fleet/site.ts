import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type PushedImage, pushImage } from '../../../test/support/images.ts';
import { createNetwork, type Network, type NetworkHost } from '../../../test/support/netns.ts';
import type { Child } from '../../../test/support/processes.ts';
import { startRegistry } from '../../../test/support/real-registry.ts';
import { tempDir } from '../../../test/support/temp.ts';
import { formatMib } from '../numbers.ts';
import type { FleetOptions } from './options.ts';
import { startComponent } from './programs.ts';

/** The hosts of a bench, and on one of them the registry with the images. */
export interface Site {
  readonly registry: NetworkHost;
  /** Of the registry. */
  readonly registryUrl: string;
  /** For the lock server. */
  readonly lock: NetworkHost;
  /** What the lock server is told beside its address. */
  readonly lockFlags: readonly string[];
  /** For what stands between the nodes and the registry, or pretends to be one of them. */
  readonly extra: NetworkHost;
  readonly nodes: readonly NetworkHost[];
}

export interface FleetImage {
  /** `64 MiB in 4 layers` */
  readonly name: string;
  /** With the registry's address. */
  readonly reference: string;
  /** Of manifest, config and layers. */
  readonly digests: readonly string[];
  /** Of config and layers together. */
  readonly bytes: number;
}

const registryPort = 5_000;

/** Pushes an image for each number of layers, then serves them on a host of their own behind the registry's link. */
export async function buildSite(options: FleetOptions): Promise<{ site: Site; images: FleetImage[] }> {
  const filled = await startRegistry();
  const pushed = [];
  for (const count of options.layers) {
    const layers = Array(count).fill(Math.round(options.imageBytes / count));
    pushed.push({ count, image: await pushImage(filled, repositoryOf(count), { layers }) });
  }
  await filled.stop();
  const site = addHosts(createNetwork(), options);
  await serveRegistry(site.registry, { rootdirectory: filled.dataDir });
  return { site, images: pushed.map(({ count, image }) => toFleetImage(site, count, image)) };
}

function repositoryOf(layers: number): string {
  return `fleet/layers-${layers}`;
}

function toFleetImage({ registry }: Site, count: number, image: PushedImage): FleetImage {
  const blobs = [image.config, ...image.layers];
  const bytes = blobs.reduce((sum, { size }) => sum + size, 0);
  return {
    name: `${formatMib(bytes)} in ${count} ${count === 1 ? 'layer' : 'layers'}`,
    reference: `${registry.address}:${registryPort}/${repositoryOf(count)}:latest`,
    digests: [image.manifestDigest, ...blobs.map(({ digest }) => digest)],
    bytes,
  };
}

function addHosts(network: Network, options: FleetOptions): Site {
  const { registryMbit, nodeMbit, nodes, others, fanOut } = options;
  const registry = network.addHost('registry', { mbitPerSecond: registryMbit });
  const count = Math.max(...nodes, others);
  const link = { mbitPerSecond: nodeMbit };
  return {
    registry,
    registryUrl: `http://${registry.address}:${registryPort}`,
    lock: network.addHost('lock'),
    lockFlags: fanOut === undefined ? [] : ['--fan-out', String(fanOut)],
    extra: network.addHost('extra', link),
    nodes: Array.from({ length: count }, (_, at) => network.addHost(`node-${at + 1}`, link)),
  };
}

/** A docker-registry on a host, on the port of all of them here; with `proxyOf` a pull-through cache. */
export async function serveRegistry(
  host: NetworkHost,
  { rootdirectory = path.join(tempDir(), 'data'), proxyOf }: { rootdirectory?: string; proxyOf?: string },
): Promise<Child> {
  const file = path.join(tempDir(), 'config.json');
  const config = {
    version: '0.1',
    log: { level: 'info', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory } },
    http: { addr: `${host.address}:${registryPort}`, secret: 'of the bench' },
    ...(proxyOf === undefined ? {} : { proxy: { remoteurl: proxyOf } }),
  };
  writeFileSync(file, JSON.stringify(config));
  const child = await startComponent(host, 'docker-registry', 'serve', file);
  await child.stderr.waitFor(/listening on/);
  return child;
}
