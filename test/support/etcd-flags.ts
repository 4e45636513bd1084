import { execFileSync } from 'node:child_process';
import { requireComponent } from './component-list.ts';

/** The names of all flags that the etcd of the tests has. */
export function etcdFlags(): ReadonlySet<string> {
  const { path, env } = requireComponent('etcd');
  const help = execFileSync(path, ['--help'], {
    encoding: 'utf8',
    env: { ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return new Set([...help.matchAll(/^ {2}--([a-z0-9-]+)/gm)].map(([, name = '']) => name));
}
