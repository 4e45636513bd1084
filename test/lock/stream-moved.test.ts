import { describe, expect, it } from 'vitest';
import { defaultBounds } from '../../src/lock/session-bounds.ts';
import { pauseBeforeStream, type StreamPause } from '../../src/lock/stream-moved.ts';

const pause = (given: Omit<StreamPause, 'bounds'>) =>
  Math.round(pauseBeforeStream({ bounds: defaultBounds, ...given }));

describe('the pause before a stream is opened again', () => {
  it('is anything up to 300 ms for one that moves, more each time it does so soon, and a second at most', () => {
    const longest = [1, 2, 3, 4, 50].map((failures) => {
      const random = () => 0.999_999;
      return pause({ failures, hasMoved: true, random });
    });
    expect(longest).toEqual([300, 600, 900, 1_000, 1_000]);
    expect(pause({ failures: 4, hasMoved: true, random: () => 0 })).toBe(0);
    expect(pause({ failures: 2, hasMoved: true, random: () => 0.5 })).toBe(300);
  });

  it('doubles up to its bound for one that has nowhere to go', () => {
    const pauses = [1, 2, 3, 4, 5, 6, 7].map((failures) =>
      pause({ failures, hasMoved: false, random: () => 0 }),
    );
    expect(pauses).toEqual([250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
  });
});
