import { systemClock } from '../../../src/core/clock.ts';
import { createHttpLocks } from '../../../src/lock/backends/http/http-locks.ts';
import { createMemoryLocks } from '../../../src/lock/backends/memory.ts';
import { createLockServer } from '../../../src/lock/server/server.ts';
import { describeLocks } from '../../conformance/locks.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

describeLocks('over HTTP', async (setup) => {
  const clock = createFakeClock();
  const memory = createMemoryLocks({ clock, ...setup });
  const server = createLockServer({ locks: memory, clock });
  const { url } = await server.listen({ host: '127.0.0.1', port: 0 });
  // The client lives in real time: its requests cross real sockets.
  const locks = createHttpLocks({ servers: [new URL(url)], version: '0.0.0', clock: systemClock });
  return {
    locks,
    advance: (ms) => clock.advance(ms),
    async close() {
      await locks.close();
      await server.close();
      await memory.close();
    },
  };
});
