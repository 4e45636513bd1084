import { type Digest, digestOf } from '../../../src/core/digest.ts';
import { isLayerpullError } from '../../../src/core/errors.ts';
import {
  type NodeId,
  type SessionId,
  type Token,
  toNodeId,
  toRequestId,
  toSessionId,
  toStoreId,
  toToken,
} from '../../../src/core/ids.ts';
import type { LockService } from '../../../src/lock/backends/engine/engine.ts';
import type { Outcome, ResourceRequest } from '../../../src/lock/locks.ts';
import type { About, Action, TokenChoice } from '../machine/actions.ts';

/** Four with sessions, two of them on a store of their own, and two without. */
const sessions = ['a', 'b', 'c', 'd'];
const resources = ['0', '1'].map((text) => digestOf(Buffer.from(text)));

/** One question to a lock service. */
export type Question = (locks: LockService) => Promise<unknown>;

/** What an action asks; undefined for what no client does. Tokens are those that `reference` tells of. */
export async function questionOf(action: Action, reference: LockService): Promise<Question | undefined> {
  switch (action.kind) {
    case 'open':
    case 'move':
      return (locks) => locks.openSession(opening(action.who, action.kind === 'move'));
    case 'close':
      return (locks) => locks.closeSession(sessionAt(action.who));
    case 'gone':
      return async (locks) => locks.nodeGone(nodeAt(4 + (action.who % 2)));
    case 'acquire': {
      const request = { ...requestOf(action.who, action.about), force: action.force };
      // A client asks the same again under the same id.
      const requestId = toRequestId(`${action.who} ${action.about.type} ${action.about.resource}`);
      return (locks) => locks.acquire({ ...request, requestId });
    }
    case 'release': {
      const request = requestOf(action.who, action.about);
      const named = await tokenFor(reference, request, action.token);
      return (locks) => locks.release({ ...request, ...named, outcome: outcomes[action.end] });
    }
    case 'decline': {
      const request = requestOf(action.who, action.about);
      const named = await tokenFor(reference, request, action.token);
      return (locks) => locks.decline({ ...request, ...named });
    }
    case 'status':
      return (locks) => locks.status(requestOf(action.who, action.about));
    case 'renew':
      return await renewal(reference, action.who, action.lies);
    default:
      return undefined;
  }
}

/** Of each session, which say nothing of what it holds. */
export const heartbeats: readonly Question[] = sessions.map(
  (_, who) => (locks) => locks.renew(sessionAt(who), { held: [] }),
);

/** The reply, or the code and the words of the error in its place. Ages are in whole steps of so many milliseconds. */
export async function answerOf(locks: LockService, question: Question, stepMs: number): Promise<unknown> {
  try {
    return inSteps((await question(locks)) ?? null, stepMs);
  } catch (error) {
    if (isLayerpullError(error)) return { code: error.code, message: error.message };
    throw error;
  }
}

function inSteps(reply: unknown, stepMs: number): unknown {
  const isAge = (name: string) => ['heldMs', 'waitingMs', 'ageMs'].includes(name);
  const text = JSON.stringify(reply, (name, value) => (isAge(name) ? Math.floor(value / stepMs) : value));
  return JSON.parse(text);
}

const outcomes: Record<'success' | 'node' | 'content', Outcome> = {
  success: { success: true },
  node: { success: false, error: 'broken', class: 'node' },
  content: { success: false, error: 'broken', class: 'content' },
};

const sessionAt = (who: number): SessionId => toSessionId(`s-${sessions[who % 4]}`);
const nodeAt = (who: number): NodeId => toNodeId(who < 4 ? `${sessions[who]}` : `older-${who}`);
const resourceAt = (index: number): Digest => resources[index % 2] ?? digestOf(Buffer.from(''));

function opening(who: number, moves: boolean) {
  const store = moves ? 'store-2' : who % 4 > 1 ? 'store-1' : undefined;
  return {
    ...{ sessionId: sessionAt(who), nodeId: nodeAt(who % 4) },
    ...(store === undefined ? {} : { storeId: toStoreId(store) }),
    ...(who % 3 === 0 ? {} : { url: `http://10.0.0.${who}:7041` }),
  };
}

function requestOf(who: number, { resource, type }: About): ResourceRequest {
  const session = who < 4 ? { sessionId: sessionAt(who) } : {};
  return { type, resourceId: resourceAt(resource), nodeId: nodeAt(who), ...session };
}

async function tokenFor(reference: LockService, { resourceId }: ResourceRequest, choice: TokenChoice) {
  if (choice === 'none') return {};
  if (choice === 'old') return { token: toToken(1) };
  const [held] = (await reference.list({})).filter((one) => one.resourceId === resourceId && one.holder);
  return held?.holder ? { token: held.holder.token } : {};
}

/** What the session holds, and some of what it does not. */
async function renewal(reference: LockService, who: number, lies: readonly number[]): Promise<Question> {
  const sessionId = sessionAt(who);
  const views = await reference.list({});
  const progress = { offset: 1, total: 2 };
  const own = views.flatMap(({ resourceId, holder }) =>
    holder?.sessionId === sessionId
      ? [{ type: holder.type, resourceId, token: holder.token as Token, ...progress }]
      : [],
  );
  const made = lies.map((lie) => ({
    ...{ type: 'pull' as const, resourceId: resourceAt(lie), token: toToken(1 + lie) },
    ...progress,
  }));
  const [add, remove] = [lies.filter((lie) => lie % 2 === 0), lies.filter((lie) => lie % 3 === 1)];
  const announce = { add: add.map(resourceAt), remove: remove.map(resourceAt) };
  const said = lies.length > 0 ? { announce } : {};
  return (locks) => locks.renew(sessionId, { held: [...own, ...made], ...said });
}
