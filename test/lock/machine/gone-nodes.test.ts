import { describe, expect, it } from 'vitest';
import { toNodeId } from '../../../src/core/ids.ts';
import { createRig, otherLayer } from './support.ts';

const gone = (node: string) => ({ kind: 'node-gone', nodeId: toNodeId(node) }) as const;

describe('a client without a session that closed its last connection', () => {
  it('loses what it holds after the grace, as failed, and the next one gets it', () => {
    const rig = createRig();
    rig.acquire('a');
    rig.acquire('a', { resourceId: otherLayer });
    rig.acquire('b');
    rig.run(gone('a'));
    // The waiter polls, or its place would lapse.
    for (let s = 0; s < 29; s += 1) {
      rig.pass(1_000);
      rig.acquire('b');
    }
    expect(rig.holder()).toBe('a');
    rig.pass(1_250);
    expect(rig.holder()).toBe('b');
    const lost = rig.events.filter((event) => event.kind === 'log' && event.what === 'reclaimed');
    expect(lost).toMatchObject([
      { who: { nodeId: 'a' }, reason: 'its connections were closed' },
      { who: { nodeId: 'a' }, reason: 'its connections were closed' },
    ]);
  });

  it.each(['acquire', 'status', 'release of another'])('keeps it when it asks anything again: %s', (what) => {
    const rig = createRig();
    rig.acquire('a');
    rig.run(gone('a'));
    rig.pass(29_000);
    const about = { type: 'pull' as const, resourceId: otherLayer, nodeId: toNodeId('a') };
    if (what === 'acquire') rig.acquire('a', { resourceId: otherLayer });
    if (what === 'status') rig.run({ kind: 'status', request: about });
    if (what.startsWith('release')) rig.release('a', true, { resourceId: otherLayer });
    rig.pass(60_000);
    expect(rig.holder()).toBe('a');
  });

  it('is not blamed for a time in which the service itself was stopped', () => {
    const rig = createRig();
    rig.acquire('a');
    rig.run(gone('a'));
    rig.stall(120_000);
    rig.pass(29_000);
    expect(rig.holder()).toBe('a');
    rig.pass(2_000);
    expect(rig.holder()).toBeUndefined();
  });

  it('leaves a session of the same name alone', () => {
    const rig = createRig();
    rig.open('a');
    rig.acquire('a');
    rig.run(gone('a'));
    for (let s = 0; s < 12; s += 1) {
      rig.pass(5_000);
      rig.renew('a');
    }
    expect(rig.holder()).toBe('a');
  });

  it('is forgotten at once when it holds nothing', () => {
    const rig = createRig();
    rig.run(gone('a'));
    expect(rig.state.goneNodes.size).toBe(0);
  });
});
