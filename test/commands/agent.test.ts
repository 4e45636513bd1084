import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import Agent from '../../src/commands/agent.ts';
import { clientConfig, mirrorClients } from '../../src/ui/client-config.ts';
import { readDeployFile } from '../support/deploy-files.ts';
import { fleetFiles } from '../support/fleet-files.ts';
import { inRoot } from '../support/root.ts';
import { runCommand } from '../support/run-command.ts';

const address = ['--registry-addr', '127.0.0.1:5001'];
const printFor = (client: string, ...flags: string[]) =>
  runCommand(Agent, '--print-config', client, ...flags);

describe('layerpull agent --print-config', () => {
  it.each(mirrorClients)('prints what %s needs, says nothing else, and ends', async (client) => {
    const stdout = clientConfig({ client, url: 'http://127.0.0.1:5001' });
    expect(await printFor(client, ...address)).toEqual({ exitCode: 0, stdout, stderr: '' });
  });

  it('prints it as a document with --json', async () => {
    const { stdout } = await printFor('containerd', ...address, '--json');
    const config = clientConfig({ client: 'containerd', url: 'http://127.0.0.1:5001' });
    expect(JSON.parse(stdout)).toEqual({ client: 'containerd', config });
  });

  it('prints an address that programs of the node can reach', async () => {
    expect((await printFor('docker', '--registry-addr', '[::1]:5001')).stdout).toContain(
      '"http://[::1]:5001"',
    );
    for (const everywhere of ['0.0.0.0:5001', '[::]:5001', ':5001']) {
      expect((await printFor('docker', '--registry-addr', everywhere)).stdout).toContain(
        '"http://127.0.0.1:5001"',
      );
    }
  });

  it('reads no file of the fleet: they may be for the agent alone', async () => {
    const { exitCode, stdout } = await printFor(
      'containerd',
      ...address,
      '--token-file',
      '/nobody/reads/this',
    );
    expect(exitCode).toBe(0);
    expect(stdout).toContain('Authorization');
  });

  it('prints paths of certificates, and no secret', async () => {
    const { token, pair, ca, keyFile, tokenFile } = fleetFiles();
    const { stdout } = await printFor('containerd', ...address, ...token, ...pair, ...ca);
    expect(stdout).toContain(`"${keyFile}"]]`);
    expect(stdout).toContain('https://127.0.0.1:5001');
    expect(stdout).not.toContain(readFileSync(tokenFile, 'utf8').trim());
    expect(stdout).not.toContain('PRIVATE KEY');
  });

  it('warns that docker shows no token', async () => {
    const { token } = fleetFiles();
    const { exitCode, stdout, stderr } = await printFor('docker', ...address, ...token);
    expect([exitCode, JSON.parse(stdout)]).toEqual([0, { 'registry-mirrors': ['http://127.0.0.1:5001'] }]);
    expect(stderr).toContain('docker shows no token to a mirror');
  });

  it.each([
    ['without --registry-addr', [], '--print-config needs --registry-addr'],
    ['with a port that is not known', ['--registry-addr', '127.0.0.1:0'], '--print-config needs the port'],
    ['with an address that is none', ['--registry-addr', 'here'], 'is not HOST:PORT'],
  ])('is refused %s', async (_, flags, message) => {
    const { exitCode, stdout, stderr } = await printFor('containerd', ...flags);
    expect([exitCode, stdout, stderr.trim().split('\n').length]).toEqual([2, '', 1]);
    expect(stderr).toContain(message);
  });

  it('is refused for a program that it does not know', async () => {
    const { exitCode, stdout } = await printFor('cri-o', ...address);
    expect([exitCode, stdout]).toEqual([2, '']);
  });
});

describe('the files for clients in examples/deploy', () => {
  /** As the agents of these files are started. */
  const flags = [...address, '--token-file', '/etc/layerpull/token'];

  it.each([
    ['containerd', 'containerd/hosts.toml'],
    ['docker', 'docker/daemon.json'],
    ['podman', 'podman/registries.conf'],
  ])('are for %s what --print-config prints', async (client, file) => {
    expect((await printFor(client, ...flags)).stdout).toBe(readDeployFile(file));
    const unit = readFileSync(inRoot('examples/deploy/systemd/layerpull-agent.service'), 'utf8');
    expect(unit).toMatch(/--registry-addr 127\.0\.0\.1:5001 --token-file /);
  });
});
