import { createMemoryLocks } from '../../../src/lock/backends/memory.ts';
import { describeLocks } from '../../conformance/locks.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

describeLocks('in memory', async (setup) => {
  const clock = createFakeClock();
  const locks = createMemoryLocks({ clock, ...setup });
  return { locks, advance: (ms) => clock.advance(ms), close: () => locks.close() };
});
