import { requireComponent } from './component-list.ts';
import { spawnProcess } from './processes.ts';
import { tempDir } from './temp.ts';

/**
 * Runs skopeo to its end and answers its stdout; registries are asked over plain http where the arguments say so.
 *
 * @throws an error with its stderr when it fails
 */
export async function skopeo(...args: string[]): Promise<string> {
  const { path, env } = requireComponent('skopeo');
  const home = tempDir();
  const child = await spawnProcess(path, ['--insecure-policy', '--tmpdir', home, ...args], {
    env: { ...process.env, HOME: home, XDG_RUNTIME_DIR: home, ...env },
  });
  child.stdin.end();
  const { code } = await child.exited;
  if (code !== 0) throw new Error(`skopeo ${args[0]}: ${child.stderr.text().trim()}`);
  return child.stdout.text();
}
