import { requireComponent } from './component-list.ts';
import { spawnProcess } from './processes.ts';

/** Runs umoci to its end. @throws an error with its stderr when it fails */
export async function umoci(...args: string[]): Promise<void> {
  const { path: program, env } = requireComponent('umoci');
  const child = await spawnProcess(program, args, { env: { ...process.env, ...env } });
  const { code } = await child.exited;
  if (code !== 0) throw new Error(`umoci ${args[0]}: ${child.stderr.text().trim()}`);
}
