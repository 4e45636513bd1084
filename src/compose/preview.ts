import type { PullConfig } from '../config/pull.ts';
import type { Log } from '../core/log.ts';
import { type PullPreview, previewPull } from '../orchestrator/preview.ts';
import { formatReference, parseReference } from '../registry/reference.ts';
import { peekStore } from '../store/peek.ts';
import { composeRegistry } from './registry.ts';
import { resolveOptions } from './resolve.ts';

export type { PullPreview } from '../orchestrator/preview.ts';

/** Wires a dry run: the registry and a look into the store, and nothing that could change either. @throws LayerpullError */
export async function previewImage(
  text: string,
  config: PullConfig,
  { log, signal }: { readonly log: Log; readonly signal: AbortSignal },
): Promise<PullPreview> {
  const reference = parseReference(text);
  const registry = composeRegistry(config.registry, log, reference.registry);
  try {
    const image = await registry.resolve(reference, await resolveOptions(config), signal);
    const peek = await peekStore(config.store);
    const has = peek?.has ?? (async () => false);
    return await previewPull({ name: formatReference(reference), image, store: config.store, has });
  } finally {
    await registry.close();
  }
}
