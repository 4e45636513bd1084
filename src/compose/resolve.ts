import type { PullConfig } from '../config/pull.ts';
import type { ResolveOptions } from '../registry/image-registry.ts';
import { peekStore } from '../store/peek.ts';

/** What a pull resolves its reference to, with the documents of its store where there is one. */
export async function resolveOptions({ platform, plan, store }: PullConfig): Promise<ResolveOptions> {
  const stored = await peekStore(store);
  return { platform, allPlatforms: plan.allPlatforms, ...(stored ? { stored } : {}) };
}
