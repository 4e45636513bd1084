import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { createMemoryLocks } from '../../../src/lock/backends/memory.ts';
import { onCleanup } from '../../support/cleanup.ts';
import { soak } from '../../support/soak.ts';
import { type Fault, right } from './faults/fault.ts';
import { faultyRequests } from './faults.ts';
import { answersIn, connectRaw, dropClients, type RawAnswer } from './raw-client.ts';
import { ask, serve, stopServers } from './support.ts';

afterEach(stopServers);
afterEach(dropClients);

const seed = 20_240_229;
const count = 1_000;

/** The errors of the protocol that a faulty request may get. */
const documented = [
  ...['400 invalid_request', '404 session_unknown', '404 no_route', '405', '408 too_slow'],
  ...['413 body_too_large', '431 headers_too_large'],
];

async function answersTo(url: string, { bytes }: Fault): Promise<RawAnswer[]> {
  const client = await connectRaw(url);
  client.write(bytes);
  const answers = answersIn(await client.ended());
  client.socket.destroy();
  return answers;
}

/** What is wrong with the answers to one faulty request; undefined: nothing. */
function problemOf(answers: readonly RawAnswer[]): string | undefined {
  if (answers.length === 0) return 'no answer';
  for (const { status, head, body } of answers) {
    const { error, message, code } = body;
    const kind = [status, ...(code === undefined ? [] : [code])].join(' ');
    if (!documented.includes(kind)) return `answer ${kind}: ${message}`;
    if (!head.includes('content-type: application/json')) return 'no JSON';
    if (typeof error !== 'string' || error === '') return 'no error';
    if (typeof message !== 'string' || message === '' || message.length > 400) return `message ${message}`;
  }
  return undefined;
}

/** Sends that many faults, and looks what they did. */
async function send(many: number, chance: number): Promise<void> {
  const logged: object[] = [];
  const log = { debug() {}, info() {}, warn() {}, error: (fields: object) => void logged.push(fields) };
  const locks = createMemoryLocks({ clock: systemClock, recoveryMs: 0 });
  onCleanup(() => locks.close());
  const { url } = await serve(locks, { log, headersTimeoutMs: 5_000, requestTimeoutMs: 5_000 });
  const prototype = Reflect.ownKeys(Object.prototype);

  const faults = faultyRequests(chance, many);
  expect(faults).toHaveLength(many);
  const problems = [];
  for (const fault of faults) {
    const problem = problemOf(await answersTo(url, fault));
    if (problem) problems.push(`${fault.what}: ${problem}`);
  }
  expect(problems).toEqual([]);
  expect(logged).toEqual([]);

  expect((await ask(url, 'GET', '/locks')).body).toEqual({ locks: [] });
  expect(locks.sessionCount()).toBe(0);
  expect(Reflect.ownKeys(Object.prototype)).toEqual(prototype);
  expect((await ask(url, 'POST', '/lock', { body: right })).body).toMatchObject({ acquired: true });
  expect((await ask(url, 'POST', '/unlock', { body: right })).body).toMatchObject({ released: true });
}

describe(`${count} faulty requests of the seed ${seed}`, () => {
  it('are each answered with an error of the protocol, and change nothing', async () => {
    await send(count, seed);
  }, 180_000);

  it('are the same each time', () => {
    const again = faultyRequests(seed, count).map(({ bytes }) => bytes.toString('latin1'));
    expect(faultyRequests(seed, count).map(({ bytes }) => bytes.toString('latin1'))).toEqual(again);
    expect(new Set(again).size).toBe(count);
  });
});

soak('faulty requests of any seed are answered alike', (chance) => send(100, chance));
