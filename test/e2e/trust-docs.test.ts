import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { trustFlags } from '../../src/flags/trust.ts';
import { type CliChild, spawnCli } from '../support/cli.ts';
import { reportMissing } from '../support/components.ts';
import { inRoot } from '../support/root.ts';
import { tempDir } from '../support/temp.ts';

const text = readFileSync(inRoot('docs', 'trust.md'), 'utf8');
const examples = [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, example = '']) => example);
const missing =
  spawnSync('openssl', ['version']).error && 'openssl is missing: install it, or put it on PATH';

describe('docs/trust.md', () => {
  it('names every flag', () => {
    for (const flag of Object.keys(trustFlags)) expect(text).toContain(`--${flag}`);
  });

  if (missing) return reportMissing(missing);
  it('has examples that work, one after the other', { timeout: 120_000 }, async () => {
    const cwd = tempDir();
    let server: CliChild | undefined;
    let address = '';
    for (const command of examples.flatMap(commandsIn)) {
      const args = command.replace(/^layerpull /, '').split(/\s+/);
      if (!command.startsWith('layerpull ')) {
        execFileSync('sh', ['-ec', command], { cwd, stdio: ['ignore', 'ignore', 'ignore'] });
      } else if (args[0] === 'serve') {
        await server?.stop();
        const local = args.map((arg) => arg.replace(/^:(8080|8443)$/, '127.0.0.1:0'));
        server = await spawnCli([...local, '--ephemeral'], { cwd });
        const [url] = await server.stdout.waitFor(/https?:\/\/127\.0\.0\.1:\d+/);
        address = new URL(url).host;
      } else {
        const local = args.map((arg) => arg.replace(/lock\.example:(8080|8443)/, address));
        const run = await (await spawnCli([...local, '--config', ''], { cwd })).result();
        expect(run.code, `${command}\n${run.stderr}`).toBe(0);
        expect(run.stderr, command).toBe('');
      }
    }
    expect(server?.stderr.text()).not.toMatch(/"level":"(warn|error)"/);
    expect(examples.length).toBeGreaterThan(6);
  });
});

/** One for each line, and for each that goes on behind a backslash. */
function commandsIn(example: string): string[] {
  return example
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => line !== '');
}
