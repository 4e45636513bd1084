import os from 'node:os';

/** One line about what the numbers were measured on. */
export function describeMachine(): string {
  const cpus = os.cpus();
  const memoryGib = (os.totalmem() / 1024 ** 3).toFixed(0);
  const model = cpus[0]?.model.trim() ?? 'unknown processor';
  return `${cpus.length} cores (${model}), ${memoryGib} GiB, ${os.type()} ${os.release()}, Node ${process.versions.node}`;
}
