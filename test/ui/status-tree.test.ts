import { describe, expect, it } from 'vitest';
import { toNodeId, toSessionId, toToken } from '../../src/core/ids.ts';
import type { ResourceView, Source } from '../../src/lock/locks.ts';
import { renderStatus } from '../../src/ui/status.ts';
import { digestOfDigit } from '../support/pull-events.ts';

const resourceId = digestOfDigit('1');
const registry: Source = { kind: 'registry' };
const urlOf = (name: string) => `http://${name}:7041`;
const config = { servers: [], store: '/store' };

function at(name: string, complete = false): Source {
  return {
    kind: 'peer',
    url: urlOf(name),
    sessionId: toSessionId(`of-${name}`),
    nodeId: toNodeId(name),
    complete,
  };
}

const nothing = (name: string): ResourceView => ({
  resourceId,
  domain: `store-${name}`,
  queue: [],
  copies: [],
});

function reader(name: string, source?: Source, offset = 1_048_576): ResourceView {
  const holder = {
    ...{ nodeId: toNodeId(name), sessionId: toSessionId(`of-${name}`), type: 'pull' as const },
    ...{ token: toToken(7), heldMs: 2_100, offset, total: 4_194_304 },
  };
  return { ...nothing(name), holder: { ...holder, ...(source ? { source } : {}) } };
}

function holding(name: string, what: Partial<NonNullable<ResourceView['holder']>>): ResourceView {
  const view = reader(name);
  return view.holder ? { ...view, holder: { ...view.holder, ...what } } : view;
}

function copy(name: string): ResourceView {
  const sessionId = toSessionId(`of-${name}`);
  return {
    ...nothing(name),
    copies: [{ nodeId: toNodeId(name), sessionId, ageMs: 60_000, url: urlOf(name) }],
  };
}

const linesOf = async (views: readonly ResourceView[]) =>
  (await renderStatus(views, { detail: true, config })).split('\n');

describe('the tree of a layer that several stores know', () => {
  it('shows who reads from whom, from the registry and from complete copies on', async () => {
    const views = [
      reader('node-d', at('node-b')),
      reader('node-b', at('node-a'), 2_097_152),
      reader('node-a', registry, 3_145_728),
      copy('node-f'),
      reader('node-c', at('node-a')),
      reader('node-e', at('node-f', true)),
      copy('node-g'),
    ];
    const expected = [
      resourceId,
      '  5 read it, 2 have it',
      '',
      '  the registry',
      '  └── node-a  3/4 MiB (75%), for 2.1 s',
      '      ├── node-b  2/4 MiB (50%), for 2.1 s',
      '      │   └── node-d  1/4 MiB (25%), for 2.1 s',
      '      └── node-c  1/4 MiB (25%), for 2.1 s',
      '  node-f  has it for 1 min 0 s, http://node-f:7041',
      '  └── node-e  1/4 MiB (25%), for 2.1 s',
      '  node-g  has it for 1 min 0 s, http://node-g:7041',
    ];
    expect(await linesOf(views)).toEqual(expected);
    expect(await linesOf(views.toReversed())).toEqual(expected);
  });

  it('orders nodes as people count them, a hundred of them, too', async () => {
    const views = Array.from({ length: 100 }, (_, place) => {
      const parent = place === 0 ? registry : at(`node-${Math.floor((place - 1) / 2)}`);
      return reader(`node-${place}`, parent);
    });
    const lines = await linesOf(views.toReversed());
    const names = lines.flatMap((line) => /node-\d+/.exec(line) ?? []);
    expect(new Set(names).size).toBe(100);
    expect(names.slice(0, 4)).toEqual(['node-0', 'node-1', 'node-3', 'node-7']);
    expect(lines.findIndex((line) => line.includes('node-9 '))).toBeLessThan(
      lines.findIndex((line) => line.includes('node-10 ')),
    );
  });

  it('counts one alone as one', async () => {
    expect((await linesOf([reader('node-a', registry), nothing('node-b')]))[1]).toBe('  1 reads it');
  });

  it('names a source of which nothing else is known', async () => {
    expect(await linesOf([reader('node-a', at('node-x')), reader('node-b', at('node-x', true))])).toEqual([
      resourceId,
      '  2 read it',
      '',
      '  node-x  http://node-x:7041',
      '  ├── node-a  1/4 MiB (25%), for 2.1 s',
      '  └── node-b  1/4 MiB (25%), for 2.1 s',
    ]);
  });

  it('shows those that hang in no tree: who waits, failed, deletes it, or is told no source', async () => {
    const waiter = { nodeId: toNodeId('node-w'), type: 'pull' as const, position: 1, waitingMs: 5_000 };
    const lastError = { nodeId: toNodeId('node-e'), message: 'reset\u001b[2J', ageMs: 90_000 };
    const views = [
      { ...reader('node-a'), queue: [waiter] },
      holding('node-c', { type: 'delete' }),
      holding('node-b', { offset: 0, total: 0 }),
      { ...nothing('node-w'), queue: [waiter] },
      { ...nothing('node-e'), lastError },
    ];
    expect(await linesOf(views)).toEqual([
      resourceId,
      '  2 read it, 2 wait',
      '',
      '  node-a  1/4 MiB (25%), for 2.1 s, awaited by node-w',
      '  node-b  begins, for 2.1 s',
      '  node-c  deleting, for 2.1 s',
      '  node-e  failed 1 min 30 s ago: reset [2J',
      '  node-w  waits for 5 s',
    ]);
  });

  it('ends also where a server tells of a circle', async () => {
    const lines = await linesOf([reader('node-a', at('node-b')), reader('node-b', at('node-a'))]);
    expect(lines.slice(3)).toEqual([
      '  node-a  1/4 MiB (25%), for 2.1 s',
      '  └── node-b  1/4 MiB (25%), for 2.1 s',
    ]);
  });
});
