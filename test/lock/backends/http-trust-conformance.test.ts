import { systemClock } from '../../../src/core/clock.ts';
import { silentLog } from '../../../src/core/log.ts';
import { openFleetTrust } from '../../../src/http/fleet-trust.ts';
import { createServing } from '../../../src/http/serving.ts';
import { createHttpLocks } from '../../../src/lock/backends/http/http-locks.ts';
import { createMemoryLocks } from '../../../src/lock/backends/memory.ts';
import { createLockServer } from '../../../src/lock/server/server.ts';
import { describeLocks } from '../../conformance/locks.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { fleetFiles } from '../../support/fleet-files.ts';

describeLocks('over TLS, with tokens and certificates on both sides', async (setup) => {
  const clock = createFakeClock();
  const memory = createMemoryLocks({ clock, ...setup });
  const files = fleetFiles();
  const trust = openFleetTrust({ files: { ...files, pair: files }, clock: systemClock, log: silentLog });
  const serving = createServing(trust);
  const server = createLockServer({ locks: memory, clock, serving });
  const { url } = await server.listen({ host: '127.0.0.1', port: 0 });
  const locks = createHttpLocks({ servers: [new URL(url)], version: '0.0.0', clock: systemClock, trust });
  return {
    locks,
    advance: (ms) => clock.advance(ms),
    async close() {
      await locks.close();
      await server.close();
      await memory.close();
      serving.close();
      trust.close();
    },
  };
});
