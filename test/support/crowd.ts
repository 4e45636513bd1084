import { cliEnv } from './cli.ts';
import type { CrowdLine, CrowdOptions } from './crowd-lines.ts';
import { createLineReader, type LineReader } from './json-lines.ts';
import { spawnProcess } from './processes.ts';
import { testProgram } from './test-program.ts';

/** Starts many nodes with streams in one process; it is killed at the end of the test. */
export async function startCrowd(options: CrowdOptions): Promise<LineReader<CrowdLine>> {
  const args = [await testProgram('stream-crowd'), JSON.stringify(options)];
  const child = await spawnProcess(process.execPath, args, { env: cliEnv() });
  return createLineReader<CrowdLine>(child.stdout);
}
