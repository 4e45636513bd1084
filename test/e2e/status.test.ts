import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { cliEnv, cliProgram, runCli } from '../support/cli.ts';
import { describeWith } from '../support/components.ts';
import { startGateProxy } from '../support/gate-proxy.ts';
import { pushImage } from '../support/images.ts';
import { patientPull, patientServer } from '../support/patient.ts';
import { spawnProcess } from '../support/processes.ts';
import { resultOf, startPull, startServer } from '../support/pulls.ts';
import { startRegistry } from '../support/real-registry.ts';
import { soon } from '../support/soon.ts';
import { tempDir } from '../support/temp.ts';

describe('status', () => {
  it('says that nobody coordinates a store, exit 0, and makes no store', async () => {
    const folder = tempDir();
    const run = await runCli(['status', '--store', path.join(folder, 'store')]);
    expect(run.code).toBe(0);
    expect(run.stdout).toMatch(/nobody|no one|coordinat/i);
    expect(readdirSync(folder)).toEqual([]);
    const json = await runCli(['status', '--store', path.join(folder, 'store'), '--json']);
    expect(JSON.parse(json.stdout)).toMatchObject({ coordinated: false, resources: [] });
  });

  it('ends with exit code 7 when the server that was named is not there', async () => {
    const run = await runCli(['status', '--server', '127.0.0.1:1']);
    expect(run.code).toBe(7);
    expect(run.stderr.trim().split('\n')).toHaveLength(1);
  });

  it('does not wait long for a server that is there and says nothing, exit 7', async () => {
    const mute = createServer(() => {}).listen(0, '127.0.0.1');
    onTestFinished(() => void mute.close());
    await once(mute, 'listening');
    const { port } = mute.address() as AddressInfo;
    const run = await runCli(['status', '--server', `127.0.0.1:${port}`]);
    expect(run.code).toBe(7);
    expect(run.stderr.trim().split('\n')).toHaveLength(1);
  });

  it('does not know a digest that nobody asked for, exit 3', async () => {
    const { url } = await startServer();
    expect((await runCli(['status', 'sha256:abcd', '--server', url])).code).toBe(3);
    expect((await runCli(['status', 'nonsense!', '--server', url])).code).toBe(2);
  });

  it('leaves stdin alone, so that it works inside a while read loop', async () => {
    const { url } = await startServer();
    const script = `printf '1\\n2\\n3\\n' | while read -r line; do
      "$NODE" "$PROGRAM" status --server "$URL" >/dev/null && echo "line $line"
    done`;
    const env = cliEnv({ NODE: process.execPath, PROGRAM: cliProgram(), URL: url });
    const shell = await spawnProcess('sh', ['-c', script], { env });
    shell.stdin.end();
    await shell.exited;
    expect(shell.stdout.lines()).toEqual(['line 1', 'line 2', 'line 3']);
  });
});

describeWith(['docker-registry'], 'status of an embedded pull', () => {
  it('shows holder, progress and queue, refuses an ambiguous prefix, and names the matches', async () => {
    const registry = await startRegistry();
    const image = await pushImage(registry, 'team/app', { layers: [500_000, 600_000] });
    const gate = await startGateProxy(registry);
    gate.shut(100_000);
    const reference = `${gate.host}/team/app`;
    const store = path.join(tempDir(), 'store');
    const first = await startPull({ reference, store, node: 'node-a', more: patientPull });
    await gate.waiting(2);
    const second = await startPull({ reference, store, node: 'node-b', more: patientPull });
    const digest = image.layers[0]?.digest ?? '';
    await second.nextJsonEvent('waiting', (event) => event['digest'] === digest);
    const json = await runCli(['status', digest, '--store', store, '--json']);
    expect(JSON.parse(json.stdout)).toMatchObject({
      coordinated: true,
      resources: [{ digest, holder: { nodeId: 'node-a' }, queue: [{ nodeId: 'node-b', position: 1 }] }],
    });
    const ambiguous = await runCli(['status', 'sha256:', '--store', store]);
    expect(ambiguous.code).toBe(2);
    expect(ambiguous.stderr).toContain(digest.slice(0, 15));
    gate.open();
    resultOf(await first.result());
    resultOf(await second.result());
  });
});

describeWith(['docker-registry'], 'status of a layer that nodes share', () => {
  it('draws who reads it from whom', async () => {
    const registry = await startRegistry();
    const image = await pushImage(registry, 'team/app', { layers: [4_000_000] });
    const gate = await startGateProxy(registry);
    gate.shut(1_000_000);
    const { url: server } = await startServer('127.0.0.1:0', ['--ephemeral', ...patientServer]);
    const digest = image.layers[0]?.digest ?? '';
    const shared = { reference: `${gate.host}/team/app`, server, more: patientPull };
    const storeIn = () => path.join(tempDir(), 'store');
    const first = await startPull({ ...shared, store: storeIn(), node: 'node-a' });
    await gate.waiting(1);
    const second = await startPull({ ...shared, store: storeIn(), node: 'node-b' });
    await second.nextJsonEvent('progress', (event) => event['digest'] === digest);
    const progress = '[\\d.]+/[\\d.]+ MiB \\(\\d+%\\), for [\\d.]+ s';
    await soon(async () => {
      const { stdout } = await runCli(['status', digest, '--server', server]);
      expect(stdout.split('\n')).toEqual([
        ...[digest, '  2 read it', '', '  the registry'],
        expect.stringMatching(new RegExp(`^ {2}└── node-a {2}${progress}$`)),
        expect.stringMatching(new RegExp(`^ {6}└── node-b {2}${progress}$`)),
        '',
      ]);
    });
    gate.open();
    resultOf(await first.result());
    resultOf(await second.result());
  });
});
