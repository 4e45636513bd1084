import { createMemoryLocks } from '../../src/lock/backends/memory.ts';
import { tellCopiesApart } from '../../src/lock/store-copies.ts';
import { createSessions } from '../../src/store/sessions.ts';
import { describeLocks } from '../conformance/locks.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { tempDir } from '../support/temp.ts';

describeLocks('of a store that may be a copy', async (setup) => {
  const clock = createFakeClock();
  const memory = createMemoryLocks({ clock, ...setup });
  const locks = tellCopiesApart({ locks: memory, sessions: createSessions(tempDir(), clock.wallNow), clock });
  return { locks, advance: (ms) => clock.advance(ms), close: () => locks.close() };
});
