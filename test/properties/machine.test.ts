import fc from 'fast-check';
import { describe, it } from 'vitest';
import { soakRuns } from '../support/soak.ts';
import { type Action, actions } from './machine/actions.ts';
import { checkStep, type History, startHistory } from './machine/checks.ts';
import { dump } from './machine/dump.ts';
import { createPlayer, type Player } from './machine/player.ts';

function play(list: readonly Action[], recoveryMs: number): { player: Player; history: History } {
  const player = createPlayer(recoveryMs);
  const history = startHistory();
  for (const action of list) checkStep(history, player, () => player.act(action));
  return { player, history };
}

function closeAll({ player, history }: { player: Player; history: History }): void {
  for (const session of player.sessions()) {
    checkStep(history, player, () => player.close(session));
  }
}

describe('the rules of the lock service, whatever happens in whatever order', () => {
  it('one holder, FIFO, rising tokens, no lost wake-up, nobody dead holds or waits, done is done', () => {
    fc.assert(
      fc.property(actions, (list) => void play(list, 0)),
      soakRuns(0.4),
    );
  });

  it('hold while the service recovers from a restart too', () => {
    fc.assert(
      fc.property(actions, (list) => void play(list, 3_000)),
      soakRuns(0.4),
    );
  });

  it('the same commands lead to the same state, replies and events', () => {
    fc.assert(
      fc.property(actions, fc.constantFrom(0, 3_000), (list, recoveryMs) => {
        const [first, second] = [play(list, recoveryMs).player, play(list, recoveryMs).player];
        const [one, other] = [first, second].map((player) =>
          JSON.stringify({ state: dump(player.state), replies: player.replies, events: player.events }),
        );
        if (one !== other) throw new Error('the second run went another way');
      }),
      soakRuns(0.1),
    );
  });

  it('when all sessions are closed and the others are gone nothing is left', () => {
    fc.assert(
      fc.property(actions, fc.constantFrom(0, 3_000), (list, recoveryMs) => {
        const run = play(list, recoveryMs);
        closeAll(run);
        checkStep(run.history, run.player, () => run.player.pass(3_000));
        for (const { holder, queue } of run.player.state.locks.values()) {
          const left = [...queue, ...(holder ? [holder] : [])].filter(({ sessionId }) => sessionId);
          if (left.length > 0) throw new Error('a closed session still holds or waits');
        }
        run.player.stopListening();
        checkStep(run.history, run.player, () => run.player.pass(1_300_000));
        const { locks, active, idle, timedHolds, timedPlaces, ...rest } = run.player.state;
        const { sessions, stores, swarms, lostSessions } = rest;
        const sizes = [
          locks,
          active,
          idle,
          timedHolds,
          timedPlaces,
          sessions,
          stores,
          swarms,
          lostSessions,
        ].map(({ size }) => size);
        if (sizes.some((size) => size > 0)) throw new Error(`something is left: ${sizes}`);
      }),
      soakRuns(0.1),
    );
  });
});
