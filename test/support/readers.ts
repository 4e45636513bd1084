import { expect } from 'vitest';
import type { CliChild } from './cli.ts';
import { soon } from './soon.ts';

type PullInSight = Pick<CliChild, 'jsonEvents'>;

/**
 * Until every pull reads each of the blobs, and exactly one of them reads it from the registry. So nobody is done, and
 * gone, before another has asked, and no blob is about to change hands: what the registry sends from now on is sent to
 * the end.
 */
export async function everyoneReads(
  pulls: readonly PullInSight[],
  digests: readonly string[],
): Promise<void> {
  await soon(async () => {
    for (const digest of digests) {
      const kinds = pulls.map((pull) => latestSource(pull, digest));
      expect(kinds).not.toContain(undefined);
      expect(kinds.filter((kind) => kind === 'registry')).toHaveLength(1);
    }
  });
}

function latestSource(pull: PullInSight, digest: string): string | undefined {
  const sources = pull
    .jsonEvents()
    .filter((event) => event['digest'] === digest && isAboutSource(event.kind))
    .map((event) => (event['source'] as { kind: string }).kind);
  return sources.at(-1);
}

function isAboutSource(kind: string): boolean {
  return kind === 'downloading' || kind === 'switched';
}
