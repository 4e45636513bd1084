import { toNodeId, toStoreId } from '../../src/core/ids.ts';
import { createMemoryLocks } from '../../src/lock/backends/memory.ts';
import { createRelayLocks } from '../../src/lock/relay.ts';
import { type LockSession, openLockSession } from '../../src/lock/session.ts';
import { describeLocks } from '../conformance/locks.ts';
import { createFakeClock } from '../support/fake-clock.ts';

/** Which sources it hands on is in relay.test.ts. Stores are told apart by the local service; the lock server has room for each grant of it. */
describeLocks(
  'of an agent, in front of a lock server',
  async (setup) => {
    const clock = createFakeClock();
    const server = createMemoryLocks({ clock, recoveryMs: 0 });
    const sessions: LockSession[] = [];
    const openSession = (nodeId: string, storeId: string) => {
      const names = { nodeId: toNodeId(nodeId), storeId: toStoreId(storeId) };
      const session = openLockSession({ locks: server, clock, ...names });
      sessions.push(session);
      return session;
    };
    const { sessionId, claimMs } = openSession('agent', 'store');
    const locks = createRelayLocks({
      local: (observe) => createMemoryLocks({ clock, ...setup, observe }),
      upstream: {
        ...{ sessionId, claimMs },
        acquire: (...args) => openSession('agent', `store ${sessions.length}`).acquire(...args),
      },
      clock,
      hasBlob: async () => false,
    });
    return {
      locks,
      advance: (ms) => clock.advance(ms),
      close: async () => {
        await locks.close();
        await Promise.all(sessions.map((session) => session.close()));
        await server.close();
      },
    };
  },
  { sources: false },
);
