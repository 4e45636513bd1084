import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

export interface Measurement {
  readonly wallMs: number;
  /** Highest resident memory in bytes, as last seen by a look every 10 ms; undefined where /proc does not tell. */
  readonly peakBytes: number | undefined;
}

const lookEveryMs = 10;

/** Runs a command to its end. @throws with the end of its stderr when it fails */
export async function measure({ program, args, env }: Command): Promise<Measurement> {
  const startedAt = performance.now();
  const child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  let peakBytes: number | undefined;
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2_000);
  });
  const timer = setInterval(() => {
    peakBytes = peakOf(child.pid) ?? peakBytes;
  }, lookEveryMs);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('close', resolve).once('error', reject);
    });
    if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${said.trim()}`);
    return { wallMs: performance.now() - startedAt, peakBytes };
  } finally {
    clearInterval(timer);
  }
}

/** The kernel's own high-water mark, so a look that comes late still sees an earlier peak. */
function peakOf(pid: number | undefined): number | undefined {
  try {
    const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return match ? Number(match[1]) * 1024 : undefined;
  } catch {
    return undefined;
  }
}
