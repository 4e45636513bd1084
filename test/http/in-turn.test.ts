import { describe, expect, it } from 'vitest';
import { type Deferred, deferred } from '../../src/core/abort.ts';
import { askInTurn, type InTurn, NoAnswer } from '../../src/http/in-turn.ts';
import { createServers } from '../../src/http/servers.ts';
import { createFakeClock, settle } from '../support/fake-clock.ts';

const urls = ['a', 'b', 'c'].map((name) => new URL(`http://${name}:1`));
const nameOf = (url: URL) => url.hostname;

/** Servers whose answers a test gives, by name. */
function setUp(options: Partial<InTurn<string>> = {}) {
  const clock = createFakeClock();
  const servers = createServers(urls);
  const asked: string[] = [];
  const ended: string[] = [];
  const stop = new AbortController();
  const questions = new Map<string, Deferred<string>>();
  const ask = (server: URL, signal: AbortSignal) => {
    const name = nameOf(server);
    const question = deferred<string>();
    asked.push(name);
    questions.set(name, question);
    signal.addEventListener('abort', () => {
      ended.push(name);
      question.reject(signal.reason);
    });
    return question.promise;
  };
  const patience = { askNextMs: 750, leaveMs: 3_000 };
  const begin = () => {
    const { signal } = stop;
    const turn = { servers, clock, patience, signal, ask, mayOverlap: true, mayGoOn: () => true };
    const answer = askInTurn({ ...turn, ...options });
    answer.catch(() => {});
    return answer;
  };
  const give = async (name: string, value = name) => {
    questions.get(name)?.resolve(value);
    await settle();
  };
  const fail = async (name: string) => {
    questions.get(name)?.reject(new Error(`${name} failed`));
    await settle();
  };
  return { clock, servers, asked, ended, stop, begin, give, fail, current: () => nameOf(servers.current()) };
}

describe('servers that are asked in turn', () => {
  it('are asked once where the first one answers, and nothing is left over', async () => {
    const { clock, asked, begin, give } = setUp();
    const answer = begin();
    await give('a');
    expect((await answer).value).toBe('a');
    expect([asked, clock.pending()]).toEqual([['a'], 0]);
  });

  it('are asked at once where the one before fails, and who answers becomes the current', async () => {
    const { clock, asked, begin, give, fail, current } = setUp();
    const answer = begin();
    await fail('a');
    await fail('b');
    expect(asked).toEqual(['a', 'b', 'c']);
    await give('c');
    expect((await answer).server).toBe(urls[2]);
    expect([current(), clock.now(), clock.pending()]).toEqual(['c', 0, 0]);
  });

  it('stay as they are where none answers', async () => {
    const { begin, fail, current } = setUp();
    const answer = begin();
    for (const name of ['a', 'b', 'c']) await fail(name);
    const error = await answer.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(NoAnswer);
    expect((error as NoAnswer).failures.map(({ server }) => nameOf(server))).toEqual(['a', 'b', 'c']);
    expect(current()).toBe('a');
  });

  it('are asked beside one that is silent, and one that never answered is left for the first that does', async () => {
    const { clock, asked, ended, begin, give, current } = setUp();
    const answer = begin();
    await clock.advance(749);
    expect(asked).toEqual(['a']);
    await clock.advance(1);
    await clock.advance(750);
    expect(asked).toEqual(['a', 'b', 'c']);
    await give('b');
    expect((await answer).value).toBe('b');
    expect([current(), ended.sort(), clock.pending()]).toEqual(['b', ['a', 'c'], 0]);
  });

  it('do not lose a client to each other by a moment of silence', async () => {
    const { clock, servers, begin, give, current } = setUp();
    servers.answered(servers.current());
    const answer = begin();
    await clock.advance(750);
    await give('b');
    expect((await answer).value).toBe('b');
    expect(current()).toBe('a');
    await clock.advance(1_000);
    await give('a');
    await clock.advance(10_000);
    expect([current(), clock.pending()]).toEqual(['a', 0]);
  });

  it('lose it after three seconds of silence while another one answers', async () => {
    const { clock, servers, ended, begin, give, current } = setUp();
    servers.answered(servers.current());
    const answer = begin();
    await clock.advance(750);
    await give('b');
    await answer;
    await clock.advance(2_249);
    expect(current()).toBe('a');
    await clock.advance(1);
    expect([current(), ended, clock.pending()]).toEqual(['b', ['a'], 0]);
  });

  it('lose it at once where the silence turns out to be a failure', async () => {
    const { clock, servers, begin, give, fail, current } = setUp();
    servers.answered(servers.current());
    const answer = begin();
    await clock.advance(750);
    await give('b');
    await answer;
    await fail('a');
    expect([current(), clock.pending()]).toEqual(['b', 0]);
  });

  it('keep it where all of them are slow', async () => {
    const { clock, servers, asked, begin, give, current } = setUp();
    servers.answered(servers.current());
    const answer = begin();
    await clock.advance(20_000);
    expect(asked).toEqual(['a', 'b', 'c']);
    await give('a');
    expect((await answer).value).toBe('a');
    expect([current(), clock.pending()]).toEqual(['a', 0]);
  });

  it('are asked at once where another request has left the silent one', async () => {
    const { clock, servers, asked, begin, give } = setUp();
    const answer = begin();
    const [a, , c] = urls;
    if (a && c) servers.move(a, c);
    await settle();
    expect(asked).toEqual(['a', 'c']);
    await give('c');
    expect((await answer).value).toBe('c');
    expect([clock.now(), clock.pending()]).toEqual([0, 0]);
  });

  it('are not asked beside each other what must not come twice', async () => {
    const { clock, asked, begin, give } = setUp({ mayOverlap: false });
    const answer = begin();
    await clock.advance(20_000);
    expect(asked).toEqual(['a']);
    await give('a');
    await answer;
    expect(clock.pending()).toBe(0);
  });

  it('are not asked after a failure that the others would share', async () => {
    const { asked, begin, fail } = setUp({ mayGoOn: () => false });
    const answer = begin();
    await fail('a');
    await expect(answer).rejects.toBeInstanceOf(NoAnswer);
    expect(asked).toEqual(['a']);
  });

  it('are asked no more once the caller has had enough, and nobody is left for that', async () => {
    const { clock, servers, asked, ended, stop, begin, current } = setUp();
    servers.answered(servers.current());
    const answer = begin();
    await clock.advance(750);
    stop.abort(new Error('enough'));
    await expect(answer).rejects.toBeInstanceOf(NoAnswer);
    expect([asked, ended, current(), clock.pending()]).toEqual([['a', 'b'], ['a', 'b'], 'a', 0]);
  });

  it('hand back what comes too late to be used', async () => {
    const late: string[] = [];
    const stubborn: Deferred<string> = deferred();
    const asked = (server: URL) => (nameOf(server) === 'a' ? stubborn.promise : Promise.resolve('b'));
    const { clock, begin } = setUp({ ask: asked, discard: (value) => void late.push(value) });
    const answer = begin();
    await clock.advance(750);
    expect((await answer).value).toBe('b');
    stubborn.resolve('a');
    await settle();
    expect(late).toEqual(['a']);
  });
});
