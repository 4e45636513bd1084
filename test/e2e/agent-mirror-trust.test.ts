import { writeFileSync } from 'node:fs';
import { get as getPlain } from 'node:http';
import { get as getTls } from 'node:https';
import path from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { clientConfig } from '../../src/ui/client-config.ts';
import { startAgent } from '../support/agents.ts';
import { createAuthority } from '../support/certificates.ts';
import { onCleanup } from '../support/cleanup.ts';
import { describeWith } from '../support/components.ts';
import { startContainerd } from '../support/containerd.ts';
import { createFakeRegistry } from '../support/fake-registry.ts';
import { type FleetFiles, fleetAuthority, fleetFiles, localNames } from '../support/fleet-files.ts';
import { pushImage } from '../support/images.ts';
import { type MirrorFleet, type MirrorNode, startMirrorFleet } from '../support/mirror-fleet.ts';
import { openPodman } from '../support/podman.ts';
import { verifyStore } from '../support/pulls.ts';
import { startRegistry } from '../support/real-registry.ts';
import { skopeo } from '../support/skopeo.ts';
import { soon } from '../support/soon.ts';
import { tempDir } from '../support/temp.ts';

const token = 'the-token-of-the-fleet';
const allOf = ({ token, pair, ca }: FleetFiles) => [...token, ...pair, ...ca];

interface Shown {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly authorization?: string;
}

const bearer = (shown: string): Shown => ({ authorization: `Bearer ${shown}` });

/** Status of a request that shows this; the authority of the fleet is known to whoever asks. */
function statusOf(url: string, { authorization, ...tls }: Shown = {}, method = 'GET'): Promise<number> {
  const headers = authorization === undefined ? {} : { authorization };
  return new Promise((resolve, reject) => {
    const options = { ca: fleetAuthority.cert, ...tls, headers, method, agent: false };
    const sent = url.startsWith('https:')
      ? getTls(url, options)
      : getPlain(url, { headers, method, agent: false });
    sent.on('error', reject).on('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
  });
}

async function imageOf() {
  const registry = await createFakeRegistry();
  onCleanup(() => registry.close());
  return { registry, image: registry.addImage({ layers: [300_000, 200_000] }) };
}

/** What opens doors for skopeo: the token as a password, and a folder of certificates. */
function flagsOfSkopeo(): string[] {
  const folder = tempDir();
  const { cert, key } = fleetAuthority.issue({ names: localNames });
  writeFileSync(path.join(folder, 'ca.crt'), fleetAuthority.cert);
  writeFileSync(path.join(folder, 'client.cert'), cert);
  writeFileSync(path.join(folder, 'client.key'), key, { mode: 0o600 });
  return ['--src-cert-dir', folder, '--src-creds', `anybody:${token}`, '--src-tls-verify=true'];
}

const nameUnder = ({ host }: MirrorNode, reference: string) =>
  `docker://${host}/${reference.replace(':', '_')}`;

const said = ({ nodes }: MirrorFleet) =>
  nodes.map(({ child }) => child.stdout.text() + child.stderr.text()).join('\n');

describe('agents with a token', () => {
  it('let nobody in without it: not to layers, not to what references meant, not to the mirror', async () => {
    const { image } = await imageOf();
    const { nodes } = await startMirrorFleet(fleetFiles(fleetAuthority, token).token);
    const [one] = nodes;
    const name = image.reference.replace(':latest', '').replace(':', '_');
    const tag = `${one.url}/v2/${name}/manifests/latest`;
    expect(await statusOf(tag, bearer(token))).toBe(200);
    const [layer] = image.layers;
    const blob = `/v2/${name}/blobs/${layer?.digest}`;
    expect(await statusOf(one.url + blob, bearer(token))).toBe(200);
    const record = `/v2/${image.repository}/manifests/latest?ns=${image.reference.split('/')[0]}`;
    await soon(async () => expect(await statusOf(one.peerUrl + blob, bearer(token))).toBe(200));
    expect(await statusOf(one.peerUrl + record, bearer(token), 'HEAD')).toBe(200);
    for (const shown of [{}, bearer('other'), { authorization: `Basic ${btoa(`a:${token}x`)}` }]) {
      for (const url of [tag, one.url + blob, `${one.url}/v2/`, one.peerUrl + blob, `${one.peerUrl}/v2/`]) {
        expect(await statusOf(url, shown), url).toBe(401);
      }
      expect(await statusOf(one.peerUrl + record, shown, 'HEAD')).toBe(401);
    }
  });

  it('keep it from a registry that asks for one', async () => {
    const registry = await createFakeRegistry({ auth: { kind: 'basic' } });
    onCleanup(() => registry.close());
    const image = registry.addImage({ layers: [1_000] });
    const { nodes } = await startMirrorFleet(fleetFiles(fleetAuthority, token).token);
    const [one] = nodes;
    const tag = `${one.url}/v2/${registry.host.replace(':', '_')}/${image.repository}/manifests/latest`;
    for (const shown of [bearer(token), { authorization: `Basic ${btoa(`me:${token}`)}` }]) {
      expect(await statusOf(tag, shown)).toBe(401);
    }
    expect(registry.requests.length).toBeGreaterThan(0);
    expect(registry.requests.map(({ authorization }) => authorization).filter(Boolean)).toEqual([]);
    expect(one.child.stderr.text()).not.toContain(token);
  });

  it('warn once for each door that is open to everyone, and not with a token', async () => {
    const open = async (...trust: readonly string[]) => {
      const everywhere = ['--peer-addr', '0.0.0.0:0', '--registry-addr', '0.0.0.0:0'];
      const { child } = await startAgent({
        store: path.join(tempDir(), 'store'),
        more: [...everywhere, ...trust],
      });
      await child.stdout.waitFor(/\nhttp.*\n/);
      await child.stop();
      return child.stderr
        .lines()
        .flatMap((line) => /the (.*) listens on .* serves everyone/.exec(line)?.[1] ?? []);
    };
    expect(await open()).toEqual(['peer server', 'registry mirror']);
    expect(await open(...fleetFiles().token)).toEqual([]);
  });

  it('take another token with SIGHUP, at both doors', async () => {
    const files = fleetFiles(fleetAuthority, 'old');
    const { nodes } = await startMirrorFleet(files.token);
    const [{ url, peerUrl, child }] = nodes;
    const as = async (shown: string) => [
      await statusOf(`${url}/v2/`, bearer(shown)),
      await statusOf(`${peerUrl}/v2/`, bearer(shown)),
    ];
    expect([await as('old'), await as('new')]).toEqual([
      [200, 200],
      [401, 401],
    ]);
    files.writeTokens('new');
    child.kill('SIGHUP');
    await soon(async () =>
      expect([await as('old'), await as('new')]).toEqual([
        [401, 401],
        [200, 200],
      ]),
    );
    expect(child.isRunning()).toBe(true);
  });
});

describe('agents with certificates', () => {
  it('let in those of their authority alone, at both doors', async () => {
    const files = fleetFiles();
    const { nodes } = await startMirrorFleet([...files.pair, ...files.ca]);
    const [{ url, peerUrl }] = nodes;
    const foreign = createAuthority('Somebody Else').issue({ names: localNames });
    for (const door of [`${url}/v2/`, `${peerUrl}/v2/`]) {
      expect(door).toMatch(/^https:/);
      expect(await statusOf(door, fleetAuthority.issue({ names: localNames }))).toBe(200);
      expect(await statusOf(door)).toBe(401);
      expect(await statusOf(door, foreign)).toBe(401);
      await expect(statusOf(door, { ca: foreign.cert })).rejects.toThrow(/certificate/);
    }
  });

  it('take others with SIGHUP, at both doors', async () => {
    const files = fleetFiles();
    const next = createAuthority('Next Authority');
    const { nodes } = await startMirrorFleet(files.pair);
    const [{ url, peerUrl, child }] = nodes;
    files.writePair(next.issue({ names: localNames }));
    child.kill('SIGHUP');
    for (const door of [`${url}/v2/`, `${peerUrl}/v2/`]) {
      await soon(async () => expect(await statusOf(door, { ca: next.cert })).toBe(200));
      await expect(statusOf(door)).rejects.toThrow(/certificate/);
    }
  });
});

describeWith(['skopeo'], 'a fleet with a token and certificates on both sides', () => {
  test('shares one download, goes on without its registry, and shows the token to nobody else', async () => {
    const files = fleetFiles(fleetAuthority, token);
    const { registry, image } = await imageOf();
    const fleet = await startMirrorFleet(allOf(files));
    const copy = async (node: MirrorNode) =>
      await skopeo(...['copy', ...flagsOfSkopeo(), nameUnder(node, image.reference), `dir:${tempDir()}`]);
    const [one, two, three] = fleet.nodes;
    await copy(one);
    await copy(two);
    for (const { digest } of [image.config, ...image.layers]) expect(registry.blobGets(digest)).toBe(1);
    const { requests } = registry;
    expect(requests.map(({ authorization }) => authorization).filter(Boolean)).toEqual([]);
    expect(JSON.stringify(requests)).not.toContain(token);
    await registry.close();
    await copy(three);
    await soon(async () =>
      expect(await verifyStore(three.store)).toEqual(
        expect.arrayContaining(image.layers.map(({ digest }) => digest)),
      ),
    );
    expect(said(fleet)).toContain('"level":"debug"');
    expect(said(fleet)).not.toContain(token);
  });
});

describeWith(
  ['docker-registry', 'containerd', 'busybox'],
  'containerd in a fleet with a token and certificates',
  () => {
    test('pulls through the mirror with what is printed for it, and the token in its place', async () => {
      const files = fleetFiles(fleetAuthority, token);
      const registry = await startRegistry();
      const image = await pushImage(registry, 'library/busybox', { busybox: true });
      await registry.clearLog();
      const { nodes } = await startMirrorFleet(allOf(files));
      const pull = async ({ url }: MirrorNode) => {
        const node = await startContainerd();
        const { caFile, certFile, keyFile } = files;
        const pair = { certFile, keyFile };
        const printed = clientConfig({ client: 'containerd', url, caFile, pair, asksToken: true });
        node.configureHost(
          '_default',
          printed.replaceAll(/^ {2}# (?=\[| )/gm, '  ').replace('TOKEN"', `${token}"`),
        );
        await node.ctr('content', 'fetch', '--hosts-dir', node.hostsDir, image.reference);
      };
      await pull(nodes[0]);
      expect(await registry.blobGets()).toBe(2);
      for (const { userAgent } of await registry.accessLog()) expect(userAgent).toContain('layerpull');
      await registry.stop();
      await pull(nodes[1]);
    });
  },
);

describeWith(['docker-registry', 'podman', 'busybox'], 'podman in a fleet with a token', () => {
  test('pulls through the mirror with what is printed for it, once it is signed in as that says', async () => {
    const registry = await startRegistry();
    const image = await pushImage(registry, 'library/busybox', { busybox: true });
    await registry.clearLog();
    const { nodes } = await startMirrorFleet(fleetFiles(fleetAuthority, token).token);
    const [{ url }] = nodes;
    const text = clientConfig({ client: 'podman', url, registries: [registry.host], asksToken: true });
    const file = path.join(tempDir(), 'registries.conf');
    writeFileSync(file, text);
    const podman = openPodman(file);
    const login = /: podman (login .*)$/m.exec(text)?.[1]?.split(' ') ?? [];
    await podman(...login, '--username', 'anybody', '--password', token);
    await podman('pull', '--tls-verify=false', image.reference);
    expect(await registry.blobGets()).toBe(2);
    const reads = (await registry.accessLog()).filter(({ path }) => path.includes('/blobs/'));
    for (const { userAgent } of reads) expect(userAgent).toContain('layerpull');
  });
});
