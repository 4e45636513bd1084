import { describe, expect, it } from 'vitest';
import { LayerpullError } from '../../src/core/errors.ts';
import { settle } from '../support/fake-clock.ts';
import { digests, startSharing } from './sharing.ts';

describe('a session that welcomes others', () => {
  it('hears at once how many there are, and says nothing of it where it never drained', async () => {
    const { clock, leading, session } = await startSharing();
    leading.children = 2;
    const welcoming = session.welcome();
    await clock.advance(0);
    await welcoming;
    expect(session.children()).toBe(2);
    expect(leading.heartbeats).toEqual([{ held: [] }]);
  });
});

describe('a session that drains', () => {
  it('says so at once, and from then on', async () => {
    const { clock, leading, session } = await startSharing();
    const draining = session.drain();
    await clock.advance(0);
    await draining;
    expect(leading.heartbeats).toEqual([{ held: [], draining: true }]);
    await clock.advance(10_000);
    expect(leading.heartbeats.length).toBeGreaterThan(3);
    expect(leading.heartbeats.every(({ draining: told }) => told)).toBe(true);
    expect(await leading.nodes()).toMatchObject([{ nodeId: 'node-a', state: 'draining' }]);
  });

  it('takes that back at once, and from then on, where it is welcoming again', async () => {
    const { clock, forget, leading, locks, session } = await startSharing();
    void session.drain();
    await clock.advance(0);
    forget();
    leading.children = 1;
    const welcoming = session.welcome();
    await clock.advance(0);
    await welcoming;
    expect(leading.heartbeats).toEqual([{ held: [], draining: false }]);
    expect(session.children()).toBe(1);
    expect(await leading.nodes()).toMatchObject([{ nodeId: 'node-a', state: 'online' }]);
    await locks.restart();
    forget();
    await clock.advance(3_000);
    expect(leading.heartbeats.map(({ draining }) => draining)).not.toContain(true);
  });

  it('takes that back where the lock server heard it late', async () => {
    const { clock, leading, session } = await startSharing();
    const { renew } = leading;
    let welcoming: Promise<void> | undefined;
    leading.renew = async (...args) => {
      const snapshot = await renew(...args);
      if (args[1].draining) welcoming ??= session.welcome();
      return snapshot;
    };
    void session.drain();
    await clock.advance(0);
    await welcoming;
    expect(leading.heartbeats.map(({ draining }) => draining)).toEqual([true, false]);
  });

  it('knows its children when that was heard, and hears of them once a second', async () => {
    const { clock, leading, session } = await startSharing();
    expect(session.children()).toBe(0);
    leading.children = 2;
    const draining = session.drain();
    await clock.advance(0);
    await draining;
    expect(session.children()).toBe(2);
    leading.children = 0;
    await clock.advance(1_750);
    expect(session.children()).toBe(0);
  });

  it('hears of its children at once when it asks again', async () => {
    const { clock, leading, session } = await startSharing();
    leading.children = 2;
    void session.drain();
    await clock.advance(0);
    leading.children = 0;
    const again = session.drain();
    await clock.advance(0);
    await again;
    expect(session.children()).toBe(0);
  });

  it('knows of no children while nobody can be asked, and again once the server is back', async () => {
    const { clock, leading, locks, session } = await startSharing();
    leading.children = 2;
    void session.drain();
    await clock.advance(0);
    locks.cut();
    const cut = session.drain();
    await clock.advance(0);
    await cut;
    expect(session.children()).toBe(0);
    locks.mend();
    await clock.advance(2_000);
    expect(session.children()).toBe(2);
    locks.cut();
    await clock.advance(10_000);
    expect(session.children()).toBe(0);
  });

  it('waits for nothing where coordination was lost before', async () => {
    const { clock, locks, session } = await startSharing();
    locks.hang();
    await clock.advance(20_000);
    let isOver = false;
    void session.drain().then(() => {
      isOver = true;
    });
    await clock.advance(0);
    expect(isOver).toBe(true);
  });

  it('says so right after a heartbeat that is under way', async () => {
    const { clock, leading, session } = await startSharing();
    const { renew } = leading;
    let draining: Promise<void> | undefined;
    leading.renew = async (...args) => {
      const snapshot = await renew(...args);
      draining ??= session.drain();
      return snapshot;
    };
    session.announce(digests(1), []);
    await clock.advance(1);
    while (!draining) await clock.advance(1);
    await draining;
    expect(leading.heartbeats.map(({ draining: told }) => told)).toEqual([undefined, true]);
  });

  it('says so right after a heartbeat that failed meanwhile', async () => {
    const { clock, leading, session } = await startSharing();
    const { renew } = leading;
    let draining: Promise<void> | undefined;
    leading.renew = async (...args) => {
      if (draining) return await renew(...args);
      draining = session.drain();
      throw new LayerpullError('lock_unreachable', 'connection reset');
    };
    while (!draining) await clock.advance(1);
    await clock.advance(0);
    await draining;
    expect(leading.heartbeats.at(0)).toMatchObject({ draining: true });
  });

  it('waits for a server that does not answer no longer than for one heartbeat', async () => {
    const { clock, locks, session } = await startSharing();
    locks.hang();
    let isOver = false;
    void session.drain().then(() => {
      isOver = true;
    });
    await clock.advance(4_000);
    expect(isOver).toBe(true);
  });

  it('waits for nothing when it was never opened, or is closed', async () => {
    const { clock, open, session } = await startSharing();
    await open('node-c').drain();
    const closing = session.close();
    await clock.advance(1_000);
    await closing;
    await session.drain();
  });

  it('lets go of who waits when it is closed meanwhile', async () => {
    const { clock, locks, session } = await startSharing();
    locks.hang();
    const draining = session.drain();
    await settle();
    const closing = session.close();
    await clock.advance(1_000);
    await Promise.all([draining, closing]);
  });

  it('says so to a server that started again', async () => {
    const { clock, forget, leading, locks, session } = await startSharing();
    const draining = session.drain();
    await clock.advance(0);
    await draining;
    await locks.restart();
    forget();
    await clock.advance(3_000);
    expect(leading.heartbeats.at(0)).toMatchObject({ draining: true });
    expect(await leading.nodes()).toMatchObject([{ state: 'draining' }]);
  });
});
