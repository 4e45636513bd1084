import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { makeImage } from '../../src/demo/image.ts';
import { startRegistry } from '../../src/demo/registry.ts';
import type { DemoResult } from '../../src/demo/result.ts';
import { onCleanup } from '../support/cleanup.ts';
import { runCli, spawnCli } from '../support/cli.ts';
import { requireComponent } from '../support/component-list.ts';
import { describeWith } from '../support/components.ts';
import { spawnProcess } from '../support/processes.ts';
import { spawnInTerminal } from '../support/pty.ts';
import { skopeo } from '../support/skopeo.ts';
import { tempDir } from '../support/temp.ts';

/** A place for temporary files, and what is still in it: files, and processes that know it. */
function workplace() {
  const folder = tempDir();
  const left = () => [...readdirSync(folder), ...processesNaming(path.basename(folder))];
  return { env: { TMPDIR: folder }, left };
}

/** Command lines of this machine's processes that contain `text`. The children of a demo carry its folder in theirs. */
function processesNaming(text: string): string[] {
  const ids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return ids.map(commandLine).filter((line) => line.includes(text));
}

function commandLine(processId: string): string {
  try {
    return readFileSync(`/proc/${processId}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

describe('the demo', () => {
  it('ends with the table of layers and what the registry sent, and leaves nothing', async () => {
    const { env, left } = workplace();
    const run = await runCli(['demo'], { env });
    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr).toContain('registry throttled to 12 MiB/s so that you can watch\n');
    expect(run.stderr).toMatch(/^node-b: sha256:[0-9a-f]{12}: waiting for node-a/m);
    const lines = run.stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^layer +size +node-a +node-b$/);
    // The config and five layers, an empty line, and the sum.
    expect(lines).toHaveLength(9);
    for (const line of lines.slice(1, 7)) {
      expect(line).toMatch(/^sha256:[0-9a-f]{12} .* [\d.]+ (B|MiB) .*downloaded/);
      expect(line).toMatch(/skipped|present/);
    }
    expect(lines[8]).toMatch(/^registry sent 39 MiB; 2 separate pulls would have taken 78 MiB \(.* s\)$/);
    expect(left()).toEqual([]);
  });

  it.each([2, 4])('has each layer downloaded by exactly one of %i nodes', async (count) => {
    const { env, left } = workplace();
    const run = await runCli(['demo', '--nodes', String(count), '--json'], { env });
    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr).toBe('');
    const result: DemoResult = JSON.parse(run.stdout);
    expect(result.nodes).toHaveLength(count);
    expect(result.layers).toHaveLength(6);
    for (const { outcomes } of result.layers) {
      const all = Object.values(outcomes);
      expect(all).toHaveLength(count);
      expect(all.filter((outcome) => outcome === 'downloaded')).toHaveLength(1);
    }
    expect(Object.values(result.registry.reads ?? {})).toEqual([1, 1, 1, 1, 1, 1]);
    expect(result.bytesFromRegistry).toBeLessThanOrEqual(1.05 * result.imageBytes);
    expect(result.bytesOfSeparatePulls).toBe(count * result.imageBytes);
    expect(left()).toEqual([]);
  });

  it('takes an image from another registry', async () => {
    const image = makeImage({ fileBytes: [300_000, 200_000] });
    const registry = await startRegistry({ image, clock: systemClock, bytesPerSecond: 1e9 });
    onCleanup(() => registry.close());
    const { env, left } = workplace();
    const run = await runCli(['demo', '--image', registry.reference, '--json'], { env });
    expect(run.code, run.stderr).toBe(0);
    const blobs = [image.config, ...image.layers];
    const bytes = blobs.reduce((sum, blob) => sum + blob.descriptor.size, 0);
    expect(JSON.parse(run.stdout)).toMatchObject({
      reference: registry.reference,
      registry: { embedded: false },
      imageBytes: bytes,
      bytesFromRegistry: bytes,
    });
    expect(left()).toEqual([]);
  });

  it('names the node that fails, with its exit code', async () => {
    const { env, left } = workplace();
    const run = await runCli(['demo', '--image', '127.0.0.1:1/nobody/here'], { env });
    expect(run.code).toBe(5);
    expect(run.stderr).toMatch(/^layerpull: node-[ab]: .*127\.0\.0\.1:1/m);
    expect(run.stdout).toBe('');
    expect(left()).toEqual([]);
  });

  it('refuses a number of nodes that it cannot show', async () => {
    const run = await runCli(['demo', '--nodes', '17']);
    expect(run.code).toBe(2);
  });

  it('is not steered by settings of the user', async () => {
    const { env } = workplace();
    const settings = {
      LAYERPULL_STORE: '/nowhere',
      LAYERPULL_ON_LOCK_FAILURE: 'fail',
      LOCK_SERVER_URL: 'no:1',
      NODE_ID: 'x',
    };
    const run = await runCli(['demo', '-q'], { env: { ...env, ...settings } });
    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr).toBe('');
  });
});

describe('the end of a demo', () => {
  it('draws the nodes side by side on a terminal, and Ctrl-C leaves nothing', async () => {
    const { env, left } = workplace();
    const terminal = spawnInTerminal(['demo'], { env, columns: 100 });
    await terminal.output.waitFor(/node-a +node-b/);
    await terminal.output.waitFor(/\[#+-+\] +\d+%/);
    terminal.write('\x03');
    expect((await terminal.exited).code).toBe(130);
    expect(terminal.isCursorVisible()).toBe(true);
    expect(left()).toEqual([]);
  });

  it('leaves nothing after SIGTERM', async () => {
    const { env, left } = workplace();
    const demo = await spawnCli(['demo'], { env });
    await demo.waitForStderr(/downloading/);
    demo.kill('SIGTERM');
    expect((await demo.exited).code).toBe(143);
    expect(left()).toEqual([]);
  });

  it('leaves nothing after SIGKILL', async () => {
    const { env, left } = workplace();
    const demo = await spawnCli(['demo'], { env });
    await demo.waitForStderr(/downloading/);
    demo.kill('SIGKILL');
    await demo.exited;
    // Its children have nobody to tell of their end.
    await expect.poll(left).toEqual([]);
  });
});

describeWith(['skopeo', 'umoci'], 'the image of the demo', () => {
  it('is copied and unpacked by other tools', async () => {
    const image = makeImage({ fileBytes: [1_000, 300_000] });
    const registry = await startRegistry({ image, clock: systemClock, bytesPerSecond: 1e9 });
    onCleanup(() => registry.close());
    const layout = path.join(tempDir(), 'layout');
    await skopeo('copy', '--src-tls-verify=false', `docker://${registry.reference}`, `oci:${layout}:demo`);
    const bundle = path.join(tempDir(), 'bundle');
    const { path: umoci, env } = requireComponent('umoci');
    const args = ['unpack', '--rootless', '--image', `${layout}:demo`, bundle];
    const unpack = await spawnProcess(umoci, args, { env: { ...process.env, ...env } });
    expect((await unpack.exited).code, unpack.stderr.text()).toBe(0);
    const sizes = [1, 2].map(
      (index) => readFileSync(path.join(bundle, 'rootfs', `layer-${index}.bin`)).length,
    );
    expect(sizes).toEqual([1_000, 300_000]);
  });
});
