import { readFileSync } from 'node:fs';

/** What a process opens beside its streams. */
const others = 300;

/** As many streams as this machine allows one process; says so on stderr where that is fewer than `wanted`. */
export function allowedStreams(wanted: number): number {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const limit = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1];
  // Node raises its own limit to the highest that it may have.
  const allowed = limit === 'unlimited' ? wanted : Number(limit) - others;
  if (!(allowed < wanted)) return wanted;
  process.stderr.write(
    `${wanted} streams need ${wanted + others} open files, and this machine allows ${limit} (ulimit -Hn): measuring ${allowed}\n`,
  );
  return Math.max(1, allowed);
}
