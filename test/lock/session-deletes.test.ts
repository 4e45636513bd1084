import { describe, expect, it } from 'vitest';
import { createSessionStage, holdOf, layerRequest, never, success } from '../support/session-stage.ts';

const deletion = { ...layerRequest, type: 'delete' } as const;
const update = { ...layerRequest, type: 'update' } as const;
/** The session's, as the lock service says by default. */
const ttlMs = 15_000;

describe('a lock to delete or update, out of touch with its server', () => {
  it.each([deletion, update])(
    'is lost one second before the server may give it away: $type',
    async (request) => {
      const { clock, locks, open, ask } = createSessionStage();
      const hold = holdOf(await ask(open('node-a'), request));
      locks.cut();
      // The first request was acknowledged at 0, and no heartbeat since.
      await clock.advance(ttlMs - 1_001);
      expect(hold.revoked.aborted).toBe(false);
      await clock.advance(1);
      expect(hold.revoked.aborted).toBe(true);
      expect(hold.revoked.reason).toMatchObject({ code: 'lock_lost' });
    },
  );

  it('tells who listens', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    const { revoked } = holdOf(await ask(open('node-a'), deletion));
    let told = false;
    revoked.addEventListener('abort', () => {
      told = true;
    });
    locks.cut();
    await clock.advance(ttlMs);
    expect(told).toBe(true);
  });

  it('is kept by heartbeats that are answered, and not by those whose answers get lost', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    const hold = holdOf(await ask(open('node-a'), deletion));
    await clock.advance(600_000);
    expect(hold.revoked.aborted).toBe(false);
    locks.loseReplies('renew');
    locks.refuseStreams();
    await clock.advance(ttlMs);
    expect(hold.revoked.aborted).toBe(true);
  });

  it('is not lost once its owner has ended it', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    const hold = holdOf(await ask(open('node-a'), deletion));
    await hold.release(success);
    locks.cut();
    await clock.advance(60_000);
    expect(hold.revoked.aborted).toBe(false);
  });

  it('leaves a pull alone: two downloads do no harm', async () => {
    const { clock, locks, open, ask } = createSessionStage();
    const hold = holdOf(await ask(open('node-a')));
    locks.cut();
    await clock.advance(60_000);
    expect(hold.revoked.aborted).toBe(false);
  });
});

describe('the first contact', () => {
  it('is made before anything is asked for', async () => {
    const { locks, open } = createSessionStage();
    await open('node-a').connect(never);
    expect(locks.calls).toContain('openSession');
    expect(locks.calls).not.toContain('acquire');
  });

  it('fails for those who must not go on alone', async () => {
    const { locks, open } = createSessionStage();
    locks.cut();
    const connecting = open('node-a', { onLockFailure: 'fail' }).connect(never);
    await expect(connecting).rejects.toMatchObject({ code: 'lock_unreachable', exitCode: 7 });
  });
});
