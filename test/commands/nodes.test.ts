import { describe, expect, it, vi } from 'vitest';
import { toNodeId, toSessionId, toStoreId } from '../../src/core/ids.ts';
import type { NodeView } from '../../src/lock/nodes.ts';
import { runCommand } from '../support/run-command.ts';

const fake = vi.hoisted(() => ({ nodes: undefined as readonly NodeView[] | undefined, closed: 0 }));

vi.mock('../../src/compose/status.ts', () => ({
  composeStatus: async () => ({
    locks: fake.nodes && { nodes: async () => fake.nodes },
    close: async () => {
      fake.closed += 1;
    },
  }),
}));

const { default: Nodes } = await import('../../src/commands/nodes.ts');

const nodes: NodeView[] = [
  {
    nodeId: toNodeId('node-a'),
    sessionId: toSessionId('s-1'),
    state: 'online',
    lastSeenMs: 1_200,
    storeId: toStoreId('store-1'),
    zone: 'rack-7',
    url: 'http://10.0.0.1:5001',
  },
  {
    nodeId: toNodeId('node-\u001b[2Jb'),
    sessionId: toSessionId('s-2'),
    state: 'offline',
    lastSeenMs: 65_000,
  },
];

describe('layerpull nodes', () => {
  it('shows one line per node, and lets none of them write elsewhere', async () => {
    fake.nodes = nodes;
    fake.closed = 0;
    const { exitCode, stdout } = await runCommand(Nodes, '--server', 'lock:1');
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.trim().split(/ {2,}/));
    expect([exitCode, fake.closed]).toEqual([0, 1]);
    expect(lines).toEqual([
      ['NODE', 'STATE', 'LAST SEEN', 'ZONE', 'STORE', 'URL'],
      ['node-a', 'online', '1.2 s ago', 'rack-7', 'store-1', 'http://10.0.0.1:5001'],
      ['node- [2Jb', 'offline', '1 min 5 s ago', '-', '-', '-'],
    ]);
  });

  it('has one document with --json', async () => {
    fake.nodes = nodes;
    const document = JSON.parse((await runCommand(Nodes, '--json')).stdout);
    expect(document.coordinated).toBe(true);
    expect(document.nodes[1]).toEqual({
      nodeId: 'node-\u001b[2Jb',
      sessionId: 's-2',
      state: 'offline',
      lastSeen: expect.stringMatching(/^\d{4}-.*Z$/),
      url: null,
      storeId: null,
      zone: null,
    });
  });

  it('says that nobody coordinates the store, or that no node is known, which is no error', async () => {
    fake.nodes = undefined;
    expect(await runCommand(Nodes, '--store', '/store')).toMatchObject({
      exitCode: 0,
      stdout: 'nobody coordinates the store /store: no pull is running on it\n',
    });
    expect(JSON.parse((await runCommand(Nodes, '--json')).stdout)).toEqual({ coordinated: false, nodes: [] });
    fake.nodes = [];
    expect((await runCommand(Nodes)).stdout).toBe('no node is known\n');
  });
});
