import { describe, expect, it } from 'vitest';
import { createSlots, createTurns } from '../../src/orchestrator/pool.ts';
import { settle } from '../support/fake-clock.ts';

const never = new AbortController().signal;

describe('the pool of slots', () => {
  it('gives at most as many slots as it has', async () => {
    const slots = createSlots(2);
    const given: number[] = [];
    const requests = [1, 2, 3].map(async (number) => {
      const slot = await slots.take('fresh', never);
      given.push(number);
      return slot;
    });
    await settle();
    expect(given).toEqual([1, 2]);
    (await requests[0])?.release();
    await settle();
    expect(given).toEqual([1, 2, 3]);
  });

  it('serves granted layers before fresh ones, each in order of arrival', async () => {
    const slots = createSlots(1);
    const first = await slots.take('fresh', never);
    const served: string[] = [];
    const serve = async (name: string, priority: 'fresh' | 'granted') => {
      const slot = await slots.take(priority, never);
      served.push(name);
      slot.release();
    };
    const all = [serve('a', 'fresh'), serve('b', 'fresh'), serve('c', 'granted'), serve('d', 'granted')];
    first.release();
    await Promise.all(all);
    expect(served).toEqual(['c', 'd', 'a', 'b']);
  });

  it('lets a request leave the line when it is aborted', async () => {
    const slots = createSlots(1);
    const first = await slots.take('fresh', never);
    const abort = new AbortController();
    const leaving = slots.take('fresh', abort.signal);
    const staying = slots.take('fresh', never);
    abort.abort(new Error('gone'));
    await expect(leaving).rejects.toThrow('gone');
    first.release();
    (await staying).release();
  });

  it('takes a slot back only once however often it is released', async () => {
    const slots = createSlots(1);
    const first = await slots.take('fresh', never);
    first.release();
    first.release();
    const second = await slots.take('fresh', never);
    let third = false;
    const waiting = slots.take('fresh', never).then((slot) => {
      third = true;
      return slot;
    });
    await settle();
    expect(third).toBe(false);
    second.release();
    (await waiting).release();
  });
});

describe('the turns of layers', () => {
  it('give first slots in their order, whoever asks first, and pass over who needs none', async () => {
    const nextTurn = createTurns(createSlots(1));
    const [first, second, third] = [nextTurn(), nextTurn(), nextTurn()];
    const served: string[] = [];
    const serve = async (name: string, { slots }: typeof first) => {
      const slot = await slots.take('fresh', never);
      served.push(name);
      slot.release();
    };
    const last = serve('third', third);
    await settle();
    expect(served).toEqual([]);
    second.end();
    await settle();
    expect(served).toEqual([]);
    await serve('first', first);
    await last;
    expect(served).toEqual(['first', 'third']);
  });

  it('keep nobody who has a grant, and nobody who is aborted', async () => {
    const nextTurn = createTurns(createSlots(2));
    nextTurn();
    const { slots } = nextTurn();
    (await slots.take('granted', never)).release();
    const abort = new AbortController();
    const leaving = slots.take('fresh', abort.signal);
    abort.abort(new Error('gone'));
    await expect(leaving).rejects.toThrow('gone');
  });
});
