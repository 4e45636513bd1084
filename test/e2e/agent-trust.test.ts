import { rmSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { startAgent } from '../support/agents.ts';
import { createAuthority } from '../support/certificates.ts';
import { describeWith } from '../support/components.ts';
import { type FleetFiles, fleetAuthority, fleetFiles } from '../support/fleet-files.ts';
import { pushImage } from '../support/images.ts';
import { resultOf, startPull, startServer } from '../support/pulls.ts';
import { startRegistry } from '../support/real-registry.ts';
import { tempDir } from '../support/temp.ts';

const storeIn = () => path.join(tempDir(), 'store');

/** Two nodes with agents, of which the first has the image. */
async function twoNodes(files: FleetFiles, more: readonly string[]) {
  const registry = await startRegistry();
  await pushImage(registry, 'team/app', { layers: [300_000, 400_000] });
  const reference = `${registry.host}/team/app`;
  const { url: server } = await startServer('127.0.0.1:0', ['--ephemeral', ...files.token]);
  const [first, second] = [storeIn(), storeIn()];
  await startAgent({ store: first, server, node: 'agent-a', more });
  await startAgent({ store: second, server, node: 'agent-b', more });
  resultOf(await (await startPull({ reference, store: first })).result());
  return { reference, second };
}

describeWith(['docker-registry'], 'a pull on the store of an agent with trust', () => {
  it.each([
    ['a token', ({ token }: FleetFiles) => token],
    ['a token and certificates', ({ token, pair, ca }: FleetFiles) => [...token, ...pair, ...ca]],
  ])('reads from other nodes with %s that only the agent was given', async (_, ofAgent) => {
    const files = fleetFiles();
    const { reference, second } = await twoNodes(files, ofAgent(files));
    const result = resultOf(await (await startPull({ reference, store: second })).result());
    expect(result).toMatchObject({ bytesFromRegistry: 0 });
    expect(result.layers.map(({ outcome }) => outcome)).toEqual(['copied', 'copied', 'copied']);
  });

  it('says why it cannot, where it may not read the files of the agent, and goes on', async () => {
    const files = fleetFiles();
    const { reference, second } = await twoNodes(files, files.token);
    rmSync(files.tokenFile);
    const pull = await startPull({ reference, store: second });
    const warning = await pull.nextJsonEvent('warning', () => true);
    expect(warning).toMatchObject({
      code: 'peers_unusable',
      message: expect.stringContaining(files.tokenFile),
    });
    expect(resultOf(await pull.result())).toMatchObject({ bytesFromPeers: 0 });
  });
});

describeWith(['docker-registry'], 'a pull that trusts no certificate of its peers', () => {
  it('reads from the registry after two of them, and says once that a certificate is the likely cause', async () => {
    const strangers = fleetFiles(createAuthority('Another Fleet'));
    const registry = await startRegistry();
    await pushImage(registry, 'team/app', { layers: [300_000, 400_000, 500_000, 600_000] });
    const reference = `${registry.host}/team/app`;
    const { url: server } = await startServer('127.0.0.1:0', ['--ephemeral']);
    for (const node of ['agent-a', 'agent-b', 'agent-c']) {
      const store = storeIn();
      await startAgent({ store, server, node, more: strangers.pair });
      resultOf(await (await startPull({ reference, store })).result());
    }
    const ca = fleetFiles().ca;
    const pull = await startPull({ reference, store: storeIn(), server, more: ['--linger', '0', ...ca] });
    resultOf(await pull.result());
    const warnings = pull.jsonEvents().filter(({ kind }) => kind === 'warning');
    expect(warnings).toEqual([
      expect.objectContaining({
        code: 'peers_unusable',
        message: expect.stringMatching(/ gave nothing, most likely because of a certificate: /),
      }),
    ]);
  });
});

describe('an agent with a certificate', () => {
  const start = async (files: FleetFiles) => {
    const { url: server } = await startServer();
    const { child } = await startAgent({ store: storeIn(), server, more: files.pair });
    child.kill('SIGTERM');
    return (await child.result()).stderr;
  };

  it('warns when that is not for the address at which others reach it', async () => {
    const files = fleetFiles();
    expect(await start(files)).not.toMatch(/the certificate is not for/);
    files.writePair(fleetAuthority.issue({ names: ['node.example'] }));
    expect(await start(files)).toMatch(/"level":"warn".*the certificate is not for 127\.0\.0\.1/);
  });
});
