import type { Locks } from '../../src/lock/locks.ts';

/** The locks that `current` answers at each call, as one object that outlives them. */
export function forwardingLocks(current: () => Locks): Locks {
  return {
    openSession: (...args) => current().openSession(...args),
    closeSession: (...args) => current().closeSession(...args),
    renew: (...args) => current().renew(...args),
    acquire: (...args) => current().acquire(...args),
    release: (...args) => current().release(...args),
    decline: (...args) => current().decline(...args),
    watch: (...args) => current().watch(...args),
    watchResource: (...args) => current().watchResource(...args),
    sources: (...args) => current().sources(...args),
    status: (...args) => current().status(...args),
    list: (...args) => current().list(...args),
    nodes: (...args) => current().nodes(...args),
    close: () => current().close(),
  };
}
