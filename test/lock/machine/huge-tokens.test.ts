import { expect, it } from 'vitest';
import { toNodeId, toToken } from '../../../src/core/ids.ts';
import { machineOptions } from '../../../src/lock/machine/options.ts';
import { createState } from '../../../src/lock/machine/state.ts';
import { step } from '../../../src/lock/machine/step.ts';
import { layer, otherLayer, sessionOf } from './support.ts';

it('a token at the end of all numbers is not brought back: those after it would repeat', () => {
  const state = createState(machineOptions({ recoveryMs: 0 }), 0);
  const sessionId = sessionOf('a');
  const nodeId = toNodeId('a');
  step(state, { kind: 'open-session', request: { sessionId, nodeId }, isReturning: true }, 0);
  const token = toToken(Number.MAX_SAFE_INTEGER - 1);
  const held = [{ type: 'pull' as const, resourceId: layer, token, offset: 0, total: 0 }];
  step(state, { kind: 'renew', sessionId, heartbeat: { held } }, 0);
  const tokens = [layer, otherLayer].map((resourceId) => {
    const request = { type: 'pull' as const, resourceId, nodeId, sessionId };
    const { reply } = step(state, { kind: 'acquire', request }, 0);
    return reply.kind === 'granted' ? reply.token : undefined;
  });
  expect(tokens).toEqual([1, 2]);
});
