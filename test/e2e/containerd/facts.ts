import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import type { Stage, StageNode } from '../../support/containerd-stage.ts';
import type { PushedImage } from '../../support/images.ts';
import type { LogLine, LogLines } from '../../support/log-lines.ts';
import type { RealRegistry } from '../../support/real-registry.ts';
import { soon } from '../../support/soon.ts';

/** Everything of an image that plugins share: its config and its layers. */
export function blobsOf({ config, layers }: PushedImage): string[] {
  return [config, ...layers].map(({ digest }) => digest);
}

/** What is under way, and awaited later: where the test fails before, that is told and not this. */
export function begun<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {});
  return work;
}

/** Lines of the lock server about one blob, in their order. */
export function linesAbout(serverLog: LogLines, digest: string): LogLine[] {
  return serverLog.all().filter(({ resource }) => resource === digest);
}

/** Between a grant and its end nobody else of the same store gets the lock. */
export function expectOneHolderAtATime(serverLog: LogLines): void {
  const held = new Map<string, unknown>();
  for (const { event, resource, domain, token } of serverLog.all()) {
    const key = `${resource} ${domain}`;
    if (event === 'granted') {
      expect(held.get(key), `a second grant of ${key}`).toBeUndefined();
      held.set(key, token);
    }
    if (event === 'released' || event === 'declined' || event === 'reclaimed') held.delete(key);
  }
}

/** What the registry was asked for each blob. */
export async function expectReadOnce(registry: RealRegistry, image: PushedImage): Promise<void> {
  for (const digest of blobsOf(image)) expect(await registry.blobGets(digest), digest).toBe(1);
}

/** The image is there, and a container of it prints. */
export async function expectRuns(
  { name, containerd }: StageNode,
  image: PushedImage,
  reference = image.reference,
) {
  expect(await containerd.ctr('images', 'ls')).toContain(image.digest);
  expect(await containerd.run(reference, '/bin/echo', `printed on ${name}`)).toContain(`printed on ${name}`);
}

/** That a node got each blob from the registry under a lock of its own, with the lines that say so. */
export async function showDownloads({ story }: Stage, node: StageNode, image: PushedImage): Promise<void> {
  const { name } = node;
  const { log } = node.plugin();
  for (const digest of blobsOf(image)) {
    const steps = [
      ['lock request', 'lock requested', {}],
      ['lock answer', 'lock granted', { source: 'registry' }],
      ['source', 'source', { source: 'registry through containerd', offset: 0 }],
      ['release', 'released', { success: true }],
      ['reference update', 'reference updated', { catalog: name }],
    ] as const;
    for (const [what, msg, match] of steps) {
      story.shows(what, name, await log.waitFor(msg, { digest, ...match }));
      expect(log.find(msg, { digest, ...match }), `${what} of ${digest}`).toHaveLength(1);
    }
  }
}

/** Waits until so many bytes of a blob that is under way are in the file of who writes it. */
export async function waitForPartial(store: string, digest: string, bytes: number): Promise<void> {
  const folder = path.join(store, 'ingest', digest.replace(':', '-'));
  await soon(async () => {
    const sizes = readdirSync(folder).map((name) => statSync(path.join(folder, name)).size);
    expect(Math.max(0, ...sizes)).toBeGreaterThanOrEqual(bytes);
  });
}

/** Waits until a containerd reaches its plugin, which it lost, again: for some seconds it does not try. */
export async function waitForContent({ containerd }: StageNode): Promise<void> {
  await soon(async () => {
    // Listed afresh: what a pull that failed left is collected meanwhile.
    const [digest] = (await containerd.ctr('content', 'ls', '-q')).split('\n');
    if (digest) await containerd.ctr('content', 'get', digest);
  });
}
