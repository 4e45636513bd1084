import { readFileSync } from 'node:fs';

/** Resident memory in bytes now. @throws where /proc does not tell */
export function residentBytes(pid: number): number {
  return bytesOf(pid, /^VmRSS:\s+(\d+) kB$/m);
}

/** The most that it ever was. @throws where /proc does not tell */
export function peakBytes(pid: number): number {
  return bytesOf(pid, /^VmHWM:\s+(\d+) kB$/m);
}

function bytesOf(pid: number, line: RegExp): number {
  const match = line.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (!match) throw new Error(`the memory of process ${pid} is not to be had`);
  return Number(match[1]) * 1_024;
}

/** Linux counts processor time in hundredths of a second for whoever reads it from /proc. */
const msPerTick = 10;

/** Milliseconds of processor time that a process used so far. @throws where /proc does not tell */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  // User and system time are the fields 14 and 15 of the whole line.
  return (Number(fields[11]) + Number(fields[12])) * msPerTick;
}

/** How busy processes were meanwhile: `the server used 93 % of a core, ...`. */
export function watchCpu(pids: Readonly<Record<string, number>>): () => string {
  const startedAt = performance.now();
  const before = new Map(Object.entries(pids).map(([name, pid]) => [name, { pid, ms: cpuMs(pid) }]));
  return () => {
    const wallMs = performance.now() - startedAt;
    const shares = [...before].map(([name, { pid, ms }]) => {
      const percent = ((cpuMs(pid) - ms) / wallMs) * 100;
      return `${name} used ${percent.toFixed(0)} %`;
    });
    return `${shares.join(', ')} of a core`;
  };
}
