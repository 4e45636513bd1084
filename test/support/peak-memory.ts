import { readFileSync } from 'node:fs';

/** The most memory a process ever had, in bytes, as Linux keeps it. */
export function peakMemory(pid: number): number {
  const [, kib = '0'] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) * 1_024;
}
