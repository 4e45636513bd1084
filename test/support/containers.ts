import { describe } from 'vitest';
import { describeWith, reportMissing } from './components.ts';
import { whyNoContainers } from './containerd.ts';

/** `describe` for tests that run containers of real containerds; skipped where that cannot be, which CI does not take. */
export function describeContainers(title: string, body: () => void): void {
  const problem = whyNoContainers();
  if (problem === undefined) describeWith(['docker-registry', 'containerd', 'busybox'], title, body);
  else describe(title, () => reportMissing(problem));
}
