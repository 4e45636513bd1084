import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { onCleanup } from '../support/cleanup.ts';
import { cliEnv, cliProgram, runCli } from '../support/cli.ts';
import { describeWith } from '../support/components.ts';
import { pushImage } from '../support/images.ts';
import { spawnProcess } from '../support/processes.ts';
import { spawnInTerminal } from '../support/pty.ts';
import { contentOf, readTar } from '../support/read-tar.ts';
import { type RealRegistry, startRegistry } from '../support/real-registry.ts';
import { tempDir } from '../support/temp.ts';

const mib = 1_048_576;

/** Runs `pull` in a shell: `"$@"` in the script is the command. */
async function pullInShell(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
) {
  const command = [process.execPath, cliProgram(), 'pull', ...args];
  const child = await spawnProcess('sh', ['-c', script, 'sh', ...command], { env: cliEnv(env) });
  const { code } = await child.exited;
  return { code, stdout: child.stdout.text(), stderr: child.stderr.text() };
}

/** Starts `pull` with a reader that reads nothing until it is told to. */
function pullUnread(args: readonly string[]) {
  const child = spawn(process.execPath, [cliProgram(), 'pull', ...args], { env: cliEnv() });
  onCleanup(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  return child;
}

async function bigImage(registry: RealRegistry, bytes: number): Promise<string> {
  return (await pushImage(registry, 'team/big:1', { layers: [bytes], gzip: true })).reference;
}

describeWith(['docker-registry'], 'an archive on stdout', () => {
  it.each(['oci-archive', 'docker-archive'])(
    'is all that stdout gets, as %s; the name goes to stderr',
    async (kind) => {
      const registry = await startRegistry();
      const image = await pushImage(registry, 'team/app:1', { layers: [100_000] });
      const file = path.join(tempDir(), 'app.tar');
      const args = [image.reference, '--store', path.join(tempDir(), 'store'), '--output', `${kind}:-`];
      for (const script of ['"$@" >"$FILE"', '"$@" | cat >"$FILE"']) {
        const { code, stderr } = await pullInShell(script, args, { FILE: file });
        expect(code, stderr).toBe(0);
        expect(stderr).toContain(`\n${image.reference}@${image.digest}\n`);
        const entries = await readTar(readFileSync(file));
        expect(contentOf(entries, kind === 'oci-archive' ? 'index.json' : 'manifest.json')).not.toHaveLength(
          0,
        );
      }
    },
  );

  it('ends quietly with 141 when its reader goes away', async () => {
    const registry = await startRegistry();
    const reference = await bigImage(registry, 4 * mib);
    const args = [reference, '--store', path.join(tempDir(), 'store'), '--output', 'docker-archive:-', '-q'];
    const { stderr } = await pullInShell(
      '{ "$@"; echo "exit code $?" >&2; } | head -c 1000 >/dev/null',
      args,
    );
    expect(stderr).toBe('exit code 141\n');
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('ends at %s with %i though its reader does not read', async (signal, code) => {
    const registry = await startRegistry();
    const reference = await bigImage(registry, 4 * mib);
    const flags = ['--store', path.join(tempDir(), 'store'), '--progress', 'json'];
    const child = pullUnread([reference, ...flags, '--output', 'docker-archive:-']);
    const exited = once(child, 'exit');
    let stderr = '';
    for await (const chunk of child.stderr) {
      stderr += chunk;
      if (/"exporting".*"offset":[1-9]/.test(stderr)) break;
    }
    child.kill(signal);
    expect((await exited)[0]).toBe(code);
  });

  it('never holds an image in memory', { timeout: 240_000, skip: process.platform !== 'linux' }, async () => {
    const registry = await startRegistry();
    const bytes = 512 * mib;
    const reference = await bigImage(registry, bytes);
    const flags = ['--store', path.join(tempDir(), 'store'), '-q', '--output', 'docker-archive:-'];
    const child = pullUnread([reference, ...flags]);
    const exited = once(child, 'exit');
    let read = 0;
    let peak = 0;
    for await (const chunk of child.stdout) {
      read += chunk.length;
      // Much more than what lies in the pipe is still to come: it is there, and writes.
      if (peak === 0 && read > bytes - 8 * mib) peak = peakMemory(child.pid ?? 0);
    }
    expect((await exited)[0]).toBe(0);
    expect(read).toBeGreaterThan(bytes);
    expect(peak).toBeGreaterThan(0);
    expect(peak).toBeLessThan(200 * mib);
  });

  it('says so when the disk behind it is full, as a result does', async () => {
    const registry = await startRegistry();
    const { reference } = await pushImage(registry, 'team/app:1', { layers: [1_000] });
    const store = path.join(tempDir(), 'store');
    const full = {
      code: 8,
      stderr: expect.stringMatching(/^layerpull: cannot write to stdout: ENOSPC.*\n$/),
    };
    const archive = [reference, '--store', store, '-q', '--output', 'docker-archive:-'];
    expect(await pullInShell('"$@" >/dev/full', archive)).toMatchObject(full);
    expect(await pullInShell('"$@" >/dev/full', [reference, '--store', store, '-q'])).toMatchObject(full);
  });

  it('is never written to a terminal', async () => {
    const terminal = spawnInTerminal(['pull', 'busybox', '--output', 'docker-archive:-']);
    expect((await terminal.exited).code).toBe(2);
    expect(terminal.output.text()).toContain('would write an archive to the terminal');
  });
});

describeWith(['docker-registry'], 'an output that cannot be written', () => {
  it('is found out before anything is downloaded', async () => {
    const registry = await startRegistry();
    const { reference } = await pushImage(registry, 'team/app:1', { layers: [1_000] });
    const folder = tempDir();
    const args = ['pull', reference, '--store', path.join(tempDir(), 'store')];
    const refused = await runCli([...args, '--output', `docker-archive:${folder}`, '--json']);
    expect([refused.code, JSON.parse(refused.stdout).error.code]).toEqual([8, 'output_failed']);
    const named = await runCli([...args, '--output', 'docker-archive:x.tar:UPPER/CASE!']);
    expect(named.code).toBe(2);
    expect(await registry.blobGets()).toBe(0);
  });
});

/** The most memory a process ever had, in bytes, as Linux keeps it. */
function peakMemory(pid: number): number {
  const [, kib = '0'] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) * 1_024;
}
