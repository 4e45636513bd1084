import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { requireComponent } from './component-list.ts';
import { spawnProcess } from './processes.ts';
import { tempDir } from './temp.ts';

/**
 * A podman with a storage of its own, which ends with the test.
 *
 * @param registriesConf read in place of the machine's own
 */
export function openPodman(registriesConf?: string): (...args: string[]) => Promise<string> {
  const { path: program, env } = requireComponent('podman');
  const home = tempDir();
  const policies = path.join(home, '.config', 'containers');
  mkdirSync(policies, { recursive: true });
  writeFileSync(path.join(policies, 'policy.json'), '{ "default": [{ "type": "insecureAcceptAnything" }] }');
  const conf = registriesConf === undefined ? {} : { CONTAINERS_REGISTRIES_CONF: registriesConf };
  return async (...args) => {
    const child = await spawnProcess(program, [...storageIn(home), ...helpersOf(program), ...args], {
      env: { ...process.env, HOME: home, XDG_RUNTIME_DIR: home, TMPDIR: home, ...env, ...conf },
    });
    child.stdin.end();
    const { code } = await child.exited;
    if (code !== 0) throw new Error(`podman ${args[0]}: ${child.stderr.text().trim()}`);
    return child.stdout.text();
  };
}

/** Nothing of the system, and nothing that needs a kernel's help. */
function storageIn(home: string): string[] {
  const places = ['root', 'runroot', 'tmpdir'].flatMap((name) => [`--${name}`, path.join(home, name)]);
  return [...places, '--storage-driver', 'vfs', '--cgroup-manager', 'cgroupfs', '--events-backend', 'none'];
}

/** Podman looks for these before it does anything: where it was unpacked, they lie beside it. */
function helpersOf(program: string): string[] {
  const beside = (name: string) => path.join(path.dirname(program), name);
  if (!existsSync(beside('conmon'))) return [];
  return ['--conmon', beside('conmon'), '--runtime', beside('crun')];
}
