import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { digestOf } from '../../src/core/digest.ts';
import { parseTarget } from '../../src/peer/mirror-path.ts';
import { asking, recordOf, recordPath } from '../../src/peer/records.ts';
import { parseReference } from '../../src/registry/reference.ts';
import { ask as request } from '../support/ask.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { createMirrorStage, withPassword } from '../support/mirror-stage.ts';
import { never, startPeer, startServer, testPeers } from './support.ts';

const digest = digestOf(Buffer.from('a manifest'));
const other = digestOf(Buffer.from('another one'));
const reference = parseReference('registry.example/team/app:1.2');
const pinned = parseReference(`registry.example/team/app@${digest}`);
const said = { 'docker-content-digest': digest, 'content-length': '1234', 'content-type': 'text/plain' };
const record = { digest, size: 1_234, mediaType: 'text/plain' };

describe('what another node answers about a reference', () => {
  it('is a digest, a size and a type', () => {
    expect(recordOf(reference, 200, said)).toEqual(record);
    expect(recordOf(pinned, 200, said)).toEqual(record);
  });

  it.each([
    ['another status', 404, {}],
    ['a redirect', 307, { location: 'http://registry.example/' }],
    ['a part', 206, {}],
    ['no digest', 200, { 'docker-content-digest': '' }],
    ['something else than a digest', 200, { 'docker-content-digest': 'sha256:../../x' }],
    ['two digests', 200, { 'docker-content-digest': `${digest}, ${digest}` }],
    ['no size', 200, { 'content-length': '' }],
    ['nothing', 200, { 'content-length': '0' }],
    ['a size that is no number', 200, { 'content-length': '-12' }],
    ['more than a manifest may have', 200, { 'content-length': '4194305' }],
    ['more than can be counted', 200, { 'content-length': '9'.repeat(30) }],
  ])('is nothing with %s', (_, status, changes) => {
    expect(recordOf(reference, status, { ...said, ...changes })).toBeUndefined();
  });

  it('is nothing where it means something else than the digest that was asked for', () => {
    const lie = { ...said, 'docker-content-digest': other };
    expect(recordOf(pinned, 200, lie)).toBeUndefined();
    expect(recordOf(reference, 200, lie)).toMatchObject({ digest: other });
  });

  it.each([
    'busybox',
    'localhost:5000/app',
    'quay.io/a/b/c:1.2',
    `registry.example:5000/a@${digest}`,
    '[::1]:5000/app',
  ])('is asked for in words that mean the same there: %s', (text) => {
    const meant = parseReference(text);
    expect(parseTarget(recordPath(meant))).toEqual({ kind: 'manifest', reference: meant });
  });

  it('is asked for by the registry that is meant', () => {
    expect(recordPath(reference)).toBe('/v2/team/app/manifests/1.2?ns=registry.example');
    expect(recordPath(parseReference('localhost:5000/app'))).toBe(
      '/v2/app/manifests/latest?ns=localhost%3A5000',
    );
    expect(recordPath(pinned)).toBe(`/v2/team/app/manifests/${digest}?ns=registry.example`);
  });
});

/** Asks these nodes with the client of peers. */
function askAt(...urls: readonly string[]) {
  const peers = testPeers();
  const ask: Parameters<typeof asking>[0]['ask'] = (url, about, signal) => peers.recorded(url, about, signal);
  return asking({ urls: async () => urls, ask, clock: systemClock });
}

const answering = (headers: Record<string, string>) =>
  startServer((_: IncomingMessage, response: ServerResponse) => void response.writeHead(200, headers).end());

describe('asking others', () => {
  it('takes the one that knows, whatever the rest of them says or keeps to itself', async () => {
    const knows = await answering(said);
    const lies = await answering({ ...said, 'content-length': '999999999' });
    const silent = await startServer(() => {});
    const rude = await startServer((_, response) => response.destroy());
    const urls = [silent, rude, lies, 'http://127.0.0.1:1', 'http://169.254.169.254', 'no url', knows];
    expect(await askAt(...urls)(reference, never)).toEqual(record);
  });

  it('ends the questions that are not needed any more', async () => {
    const gone: Promise<void>[] = [];
    const asked: string[] = [];
    const silent = await startServer((request, response) => {
      asked.push(request.url ?? '');
      gone.push(new Promise((resolve) => void response.once('close', resolve)));
    });
    const knows = await startServer((_, response) => {
      const answer = () => (asked.length > 0 ? response.writeHead(200, said).end() : setImmediate(answer));
      answer();
    });
    expect(await askAt(silent, knows)(reference, never)).toEqual(record);
    await Promise.all(gone);
    expect(asked).toEqual([recordPath(reference)]);
  });

  it('gives up on those that stay silent, and asks nobody where nobody is known', async () => {
    const clock = createFakeClock();
    const signals: AbortSignal[] = [];
    const ask = (_: string, __: unknown, signal: AbortSignal) => {
      signals.push(signal);
      return new Promise<undefined>(() => {});
    };
    const silent = asking({ urls: async () => ['http://a', 'http://b'], ask, clock })(reference, never);
    await clock.advance(2_000);
    expect(await silent).toBeUndefined();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
    expect(await asking({ urls: async () => [], ask, clock })(reference, never)).toBeUndefined();
    expect(signals).toHaveLength(2);
  });

  it('asks no more of them than a few dozen', async () => {
    const asked = new Set<string>();
    const urls = Array.from({ length: 1_000 }, (_, at) => `http://node-${at}`);
    const ask = async (url: string) => void asked.add(url);
    expect(await asking({ urls: async () => urls, ask, clock: createFakeClock() })(reference, never)).toBe(
      undefined,
    );
    expect(asked.size).toBe(64);
  });

  it('knows nothing where it is not known who there is', async () => {
    const urls = async () => {
      throw new Error('the lock server is gone');
    };
    const ask = async () => record;
    expect(await asking({ urls, ask, clock: createFakeClock() })(reference, never)).toBeUndefined();
  });

  it('throws the reason of who asked, once that one goes', async () => {
    const clock = createFakeClock();
    const leaving = new AbortController();
    const ask = () => new Promise<undefined>(() => {});
    const answer = asking({ urls: async () => ['http://a'], ask, clock })(reference, leaving.signal);
    leaving.abort(new Error('gone'));
    await expect(answer).rejects.toThrow('gone');
  });
});

describe('a node that is asked', () => {
  /** A node whose mirror resolved the image, and the question of another one. */
  async function setUp(password?: string) {
    const stage = createMirrorStage();
    if (password !== undefined) stage.registry.password = password;
    await stage.resolve(':latest', password === undefined ? {} : withPassword(password));
    const { url } = await startPeer({ recorded: stage.mirror.recorded });
    const peers = testPeers();
    const ask = (what: string) => peers.recorded(url, stage.mirrorOf(what), never);
    return { stage, url, ask };
  }

  it('tells what everyone could read, by tag and by digest, with what is needed to take it from the fleet', async () => {
    const { stage, ask } = await setUp();
    const { index, manifest } = stage;
    const told = { digest: index.digest, size: index.size, mediaType: index.mediaType };
    expect(await ask(':latest')).toEqual(told);
    expect(await ask(`@${index.digest}`)).toEqual(told);
    expect(await ask(`@${manifest.digest}`)).toBeUndefined();
    await stage.resolve(`@${manifest.digest}`);
    expect(await ask(`@${manifest.digest}`)).toMatchObject({ digest: manifest.digest, size: manifest.size });
    expect(await ask(':other')).toBeUndefined();
    expect(await ask(`@${stage.layer.digest}`)).toBeUndefined();
  });

  it('tells nothing of private images, whoever read them there', async () => {
    const { stage, ask } = await setUp('secret');
    await stage.resolve(`@${stage.manifest.digest}`, withPassword('secret'));
    for (const what of [':latest', `@${stage.index.digest}`, `@${stage.manifest.digest}`]) {
      expect(await ask(what)).toBeUndefined();
    }
  });

  it('tells nothing of what only the agent itself may read', async () => {
    const find = async () =>
      ({ kind: 'password', username: 'a', password: 'secret', from: 'a file' }) as const;
    const stage = createMirrorStage({ agent: { find } });
    stage.registry.password = 'secret';
    expect(await stage.outcome(':latest')).toBe('ok');
    expect(await stage.mirror.recorded(stage.mirrorOf(':latest'))).toBeUndefined();
    expect(await stage.mirror.recorded(stage.mirrorOf(`@${stage.index.digest}`))).toBeUndefined();
  });

  it('tells nothing of what is no longer for everyone', async () => {
    const { stage, ask } = await setUp();
    stage.registry.password = 'now there is one';
    expect(await stage.outcome(':latest')).toBe('access_denied');
    expect(await ask(':latest')).toBeUndefined();
    expect(await ask(`@${stage.index.digest}`)).toBeUndefined();
  });

  it('tells nothing of a manifest that it has no more', async () => {
    const { stage, ask } = await setUp();
    stage.stored.clear();
    expect(await ask(':latest')).toBeUndefined();
  });

  it('answers questions that make no sense with 404, and gives no manifests by GET', async () => {
    const { stage, url } = await setUp();
    const name = recordPath(stage.mirrorOf(':latest'));
    const status = async (path: string, method = 'HEAD') => (await request(url + path, { method })).status;
    expect(await status(name)).toBe(200);
    expect(await status(name, 'GET')).toBe(404);
    expect(await status(name, 'PUT')).toBe(405);
    expect(await status('/v2/app/manifests/%zz?ns=registry.example')).toBe(400);
    for (const path of [
      '/v2/app/manifests/latest?ns=a&ns=b',
      '/v2/app/manifests/latest?ns=',
      '/v2/APP/manifests/latest?ns=registry.example',
      `/v2/app/manifests/${'x'.repeat(5_000)}?ns=registry.example`,
      '/v2/app/blobs/sha256:1/manifests/',
    ]) {
      expect(await status(path), path).toBe(404);
    }
  });

  it('that has no mirror knows nothing', async () => {
    const { url } = await startPeer();
    expect(await testPeers().recorded(url, reference, never)).toBeUndefined();
  });
});
