import { describe, expect, it } from 'vitest';
import { parseDigest } from '../../src/core/digest.ts';
import { toNodeId, toSessionId, toToken } from '../../src/core/ids.ts';
import type { ResourceView, Source } from '../../src/lock/locks.ts';
import { renderStatus, stateOf, statusDocument } from '../../src/ui/status.ts';
import { parsePrefix, selectResources } from '../../src/ui/status-select.ts';
import { digestOfDigit } from '../support/pull-events.ts';

const idle: ResourceView = {
  resourceId: digestOfDigit('2'),
  domain: 'default',
  queue: [],
  copies: [],
};

const waiter = (name: string, position: number) => ({
  nodeId: toNodeId(name),
  type: 'pull' as const,
  position,
  waitingMs: 1_000 * position,
});

const held: ResourceView = {
  resourceId: digestOfDigit('1'),
  domain: 'store-1',
  holder: {
    nodeId: toNodeId('node-a'),
    sessionId: toSessionId('s1'),
    type: 'pull',
    token: toToken(7),
    heldMs: 2_100,
    offset: 1_048_576,
    total: 4_194_304,
  },
  queue: [waiter('node-b', 1), waiter('node-c', 2)],
  copies: [{ nodeId: toNodeId('node-d'), ageMs: 60_000 }],
  lastError: { nodeId: toNodeId('node-e'), message: 'reset\u001b[2J', ageMs: 90_000 },
};

const config = { servers: [], store: '/store' };
const table = { detail: false, config };

describe('the table of status', () => {
  it('has a row for each resource', async () => {
    expect((await renderStatus([held, idle], table)).split('\n')).toEqual([
      'DIGEST                STATE         HOLDER   SINCE   PROGRESS        QUEUE',
      'sha256:111111111111   downloading   node-a   2.1 s   1/4 MiB (25%)   node-b, node-c',
      'sha256:222222222222   idle          -        -       -               -',
    ]);
  });

  it('counts long queues', async () => {
    const queue = ['a', 'b', 'c', 'd', 'e'].map((name, index) => waiter(name, index + 1));
    expect(await renderStatus([{ ...held, queue }], table)).toContain('a, b, c, +2');
  });

  it('says when there is nothing, and when nobody coordinates', async () => {
    expect(await renderStatus([], table)).toBe('no layer is held or waited for');
    expect(await renderStatus(undefined, table)).toBe(
      'nobody coordinates the store /store: no pull is running on it',
    );
  });
});

describe('the detail of status', () => {
  it('shows all that is known, without control characters', async () => {
    expect((await renderStatus([held], { detail: true, config })).split('\n')).toEqual([
      digestOfDigit('1'),
      '  state       downloading',
      '  holder      node-a',
      '  since       2.1 s ago',
      '  progress    1/4 MiB (25%)',
      '  queue       1. node-b (for 1 s), 2. node-c (for 2 s)',
      '  copies      node-d (1 min 0 s ago)',
      '  last error  node-e, 1 min 30 s ago: reset [2J',
      '  domain      store-1',
    ]);
  });
});

describe('the detail of a layer that nodes share', () => {
  const nodeId = toNodeId('node-f');
  const peer = { kind: 'peer', url: 'http://10.0.0.6:7041', nodeId, sessionId: toSessionId('s6') } as const;
  const linesOf = async (source: Source) => {
    const view = held.holder ? { ...held, holder: { ...held.holder, source } } : held;
    return (await renderStatus([view], { detail: true, config })).split('\n');
  };

  it('names where its holder reads', async () => {
    expect(await linesOf({ kind: 'registry' })).toContain('  reads from  the registry');
    expect(await linesOf({ ...peer, complete: false })).toContain(
      '  reads from  node-f (while it downloads, http://10.0.0.6:7041)',
    );
    expect(await linesOf({ ...peer, complete: true })).toContain(
      '  reads from  node-f (its copy, http://10.0.0.6:7041)',
    );
  });

  it('names where copies are served', async () => {
    const view = { ...idle, copies: [{ nodeId, ageMs: 1_000, url: peer.url }] };
    expect(await renderStatus([view], { detail: true, config })).toContain(
      '  copies      node-f (1 s ago, http://10.0.0.6:7041)',
    );
  });
});

describe('the document of status', () => {
  it('is camelCase, with null for what is not there', () => {
    expect(statusDocument([idle], 10_000)).toEqual({
      coordinated: true,
      resources: [
        {
          digest: idle.resourceId,
          domain: 'default',
          state: 'idle',
          holder: null,
          queue: [],
          copies: [],
          lastError: null,
        },
      ],
    });
    expect(statusDocument([held], 10_000)).toMatchObject({
      resources: [{ state: 'downloading', holder: { heldMs: 2_100, since: '1970-01-01T00:00:07.900Z' } }],
    });
    expect(statusDocument(undefined, 0)).toEqual({ coordinated: false, resources: [] });
  });

  it('names the state', () => {
    const { holder, ...free } = held;
    expect(stateOf(free)).toBe('waiting');
    expect(stateOf({ ...free, queue: [] })).toBe('complete');
    expect(stateOf({ ...free, queue: [], copies: [] })).toBe('failed');
    expect(holder && stateOf({ ...held, holder: { ...holder, type: 'delete' } })).toBe('deleting');
  });
});

describe('the digest given to status', () => {
  const views = [held, { ...held, domain: 'store-2' }, idle];

  it('may be a prefix, with or without its algorithm', () => {
    expect(selectResources(views, '11')).toHaveLength(2);
    expect(selectResources(views, 'sha256:2')).toEqual([idle]);
    expect(selectResources(views, undefined)).toBe(views);
  });

  it('is refused when it is ambiguous, with the matches', () => {
    const resourceId = parseDigest(`sha256:${'1'.repeat(63)}3`);
    expect(() => selectResources([...views, { ...idle, resourceId }], 'sha256:1')).toThrow(
      expect.objectContaining({
        code: 'ambiguous_digest',
        exitCode: 2,
        message: `sha256:1 matches 2 layers: ${held.resourceId}, ${resourceId}`,
      }),
    );
  });

  it('is not found when nothing begins with it', () => {
    expect(() => selectResources(views, 'f')).toThrow(
      expect.objectContaining({ code: 'resource_not_found' }),
    );
  });

  it('is refused when it is no digest', () => {
    expect(() => parsePrefix('busybox')).toThrow(
      expect.objectContaining({ code: 'invalid_digest', exitCode: 2 }),
    );
    expect(parsePrefix('sha256:1a')).toBe('sha256:1a');
    expect(parsePrefix(undefined)).toBeUndefined();
  });
});
