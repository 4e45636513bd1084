import { type Digest, digestOf } from '../../src/core/digest.ts';
import type { Announcement } from '../../src/lock/locks.ts';
import { createLeadingLocks } from '../support/leading-locks.ts';
import { createSessionStage, never } from '../support/session-stage.ts';

export const digests = (count: number, of = 'layer'): Digest[] =>
  Array.from({ length: count }, (_, index) => digestOf(Buffer.from(`${of} ${index}`)));

/** A session that is open, with what it tells from then on. */
export async function startSharing() {
  const stage = createSessionStage();
  const leading = createLeadingLocks(stage.locks);
  const session = stage.open('node-a', { locks: leading, url: 'http://10.0.0.7:7041', zone: 'rack-2' });
  await session.connect(never);
  await stage.clock.advance(1_000);
  leading.heartbeats.length = 0;
  const announced = (): Announcement[] =>
    leading.heartbeats.flatMap(({ announce }) => (announce ? [announce] : []));
  /** Only what was added, by all announcements since. */
  const added = () => announced().flatMap(({ add }) => add);
  const forget = () => {
    leading.heartbeats.length = 0;
  };
  return { ...stage, leading, session, announced, added, forget };
}
