import { describe, expect, it } from 'vitest';
import { silentLog } from '../../src/core/log.ts';
import { createRegistry } from '../../src/registry/client.ts';
import { parseReference } from '../../src/registry/reference.ts';
import { onCleanup } from '../support/cleanup.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { createFakeRegistry } from '../support/fake-registry.ts';
import { soon } from '../support/soon.ts';
import { amd64 } from './support.ts';

/** What is told while an image is resolved whose registry once asks for a pause of so many seconds. */
async function toldOf(retryAfter: string): Promise<string[]> {
  const fake = await createFakeRegistry();
  onCleanup(() => fake.close());
  const image = fake.addImage();
  const told: string[] = [];
  const log = { ...silentLog, warn: (_: object, message: string) => void told.push(message) };
  const clock = createFakeClock();
  const client = createRegistry({ userAgent: 'layerpull/test', clock, log });
  onCleanup(() => client.close());
  fake.fault('latest', { kind: 'tooManyRequests', retryAfter });
  const reference = parseReference(image.reference);
  let ended = false;
  const resolving = client.resolve(reference, { platform: amd64 }, new AbortController().signal);
  void resolving.finally(() => {
    ended = true;
  });
  await soon(async () => {
    await clock.advance(1_000);
    expect(ended).toBe(true);
  });
  await resolving;
  return told.map((line) => line.replace(fake.host, 'HOST'));
}

describe('a pause before an image is known', () => {
  it('is told where it is long, with its reason', async () => {
    const [told, ...more] = await toldOf('10');
    expect(told).toMatch(/^HOST limits the rate of requests.*; trying again in 1[01] s$/);
    expect(more).toEqual([]);
  });

  it('is not told where it is short', async () => {
    expect(await toldOf('1')).toEqual([]);
  });
});
