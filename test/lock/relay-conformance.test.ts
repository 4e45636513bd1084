import { toNodeId } from '../../src/core/ids.ts';
import { createMemoryLocks } from '../../src/lock/backends/memory.ts';
import { createRelayLocks } from '../../src/lock/relay.ts';
import { openLockSession } from '../../src/lock/session.ts';
import { describeLocks } from '../conformance/locks.ts';
import { createFakeClock } from '../support/fake-clock.ts';

describeLocks('of an agent, in front of a lock server', async (setup) => {
  const clock = createFakeClock();
  const server = createMemoryLocks({ clock, recoveryMs: 0 });
  const upstream = openLockSession({ locks: server, nodeId: toNodeId('agent'), clock });
  const locks = createRelayLocks({
    local: (observe) => createMemoryLocks({ clock, ...setup, observe }),
    upstream,
    clock,
    hasBlob: async () => false,
  });
  return {
    locks,
    advance: (ms) => clock.advance(ms),
    close: async () => {
      await locks.close();
      await Promise.all([upstream.close(), server.close()]);
    },
  };
});
