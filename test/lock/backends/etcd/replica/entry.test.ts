import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toNodeId, toRequestId, toStoreId, toToken } from '../../../../../src/core/ids.ts';
import {
  type ClusterCommand,
  type Entry,
  toSeatId,
} from '../../../../../src/lock/backends/etcd/replica/cluster.ts';
import { decodeEntry, encodeEntry } from '../../../../../src/lock/backends/etcd/replica/entry.ts';
import { layer, otherLayer, sessionOf } from '../../../machine/support.ts';

const seat = toSeatId('seat-1');
const decode = (text: string) => decodeEntry(seat, 1, text);
const withCommands = (...commands: unknown[]) => JSON.stringify({ format: 1, atMs: 5, commands });

describe('an entry of the log', () => {
  it('without commands lets time pass', () => {
    const entry: Entry = { seat, seq: 7, atMs: 1_000, commands: [] };
    expect(decodeEntry(seat, 7, encodeEntry(entry))).toEqual(entry);
  });

  it('is of a whole millisecond', () => {
    expect(decode(encodeEntry({ seat, seq: 1, atMs: 1_000.7, commands: [] }))?.atMs).toBe(1_000);
  });

  it.each([
    '',
    'null',
    '[]',
    '{}',
    '{"format":2,"atMs":1,"commands":[]}',
    '{"format":1,"atMs":-1,"commands":[]}',
    '{"format":1,"atMs":1.5,"commands":[]}',
    '{"format":1,"atMs":1}',
    '{"format":1,"atMs":1,"commands":{}}',
    '\u0000\ufffd',
  ])('is none where the bytes are foreign: %j', (text) => {
    expect(decode(text)).toBeUndefined();
  });

  it('is none, or one without a command, whatever text is there', () => {
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      fc.json().map((json) => `{"format":1,"atMs":1,"commands":[${json}]}`),
    );
    fc.assert(
      fc.property(text, (foreign) => {
        const commands = decode(foreign)?.commands ?? [];
        expect(commands.filter(({ kind }) => kind !== 'malformed')).toEqual([]);
      }),
    );
  });

  it('keeps the commands beside one that is none', () => {
    const good = { kind: 'close-session', sessionId: sessionOf('a') };
    const bad = [
      { kind: 'tick' },
      { kind: 'constructor' },
      { kind: 'close-session' },
      { kind: 'renew', sessionId: 'a', heartbeat: {} },
      { kind: 'listener-opened', resourceId: 'sha256:short' },
      { kind: 'malformed' },
      'close-session',
      null,
    ];
    expect(decode(withCommands(good, ...bad, good))?.commands).toEqual([
      good,
      ...bad.map(() => ({ kind: 'malformed' })),
      good,
    ]);
  });

  it('carries every command exactly', () => {
    const [nodeId, sessionId] = [toNodeId('a'), sessionOf('a')];
    const asked = { type: 'delete', resourceId: layer, nodeId, sessionId } as const;
    const token = toToken(2 ** 40);
    const held = { type: 'pull', resourceId: layer, token, offset: 1, total: 2 ** 45 } as const;
    const bad = { sessionId, reason: 'wrong \u{1f4a5}', wrongBytes: true };
    const told = { url: 'http://a', storeId: toStoreId('s'), zone: 'z' };
    const commands: ClusterCommand[] = [
      { kind: 'open-session', request: { sessionId, nodeId, ...told }, isReturning: true },
      { kind: 'close-session', sessionId },
      { kind: 'renew', sessionId, heartbeat: { held: [held], draining: false } },
      { kind: 'renew', sessionId, heartbeat: { held: [], announce: { add: [layer], remove: [otherLayer] } } },
      { kind: 'stream-opened', sessionId },
      { kind: 'stream-closed', sessionId },
      { kind: 'node-gone', nodeId },
      { kind: 'listener-opened', resourceId: layer },
      { kind: 'listener-closed', resourceId: layer },
      { kind: 'acquire', request: { ...asked, requestId: toRequestId('r'), force: true, position: 3 } },
      { kind: 'release', request: { ...asked, token, outcome: { success: true } } },
      { kind: 'release', request: { ...asked, outcome: { success: false, error: 'e', class: 'content' } } },
      { kind: 'decline', request: { ...asked, token } },
      { kind: 'sources', request: { sessionId, resourceId: layer, token, offset: 5, bad, restarts: 2 } },
      { kind: 'status', request: asked },
      { kind: 'seat-gone', seat },
      { kind: 'session-quiet', sessionId, silentMs: 6_000 },
    ];
    const entry: Entry = { seat, seq: 1, atMs: 1_800_000_000_000, commands };
    expect(decode(encodeEntry(entry))).toStrictEqual(entry);
  });

  it('takes nothing over that is not of the command', () => {
    const command = { kind: 'listener-opened', resourceId: layer };
    expect(decode(withCommands({ ...command, more: 1 }))?.commands).toStrictEqual([command]);
  });
});
