import { describe, expect, test } from 'vitest';
import { LayerpullError } from '../../src/core/errors.ts';
import { createMirrorStage, createProofFiles, down, nobody, withPassword } from '../support/mirror-stage.ts';

const minuteMs = 60_000;
const me = withPassword('secret');

describe('who may have what', () => {
  test('a blob is served only once a manifest was resolved that lists it', async () => {
    const stage = createMirrorStage();
    expect(await stage.blob(stage.layer)).toBe('blob_not_found');
    expect(await stage.outcome(':latest')).toBe('ok');
    expect(await stage.blob(stage.layer)).toBe('blob_not_found');
    expect(await stage.outcome(`@${stage.manifest.digest}`)).toBe('ok');
    expect(await stage.blob(stage.layer)).toBe('ok');
    expect(await stage.blob(stage.config)).toBe('ok');
    expect(await stage.blob(stage.other)).toBe('blob_not_found');
    expect(await stage.blob(stage.manifest)).toBe('blob_not_found');
  });

  test('what an index lists needs no further question while the proof is fresh', async () => {
    const stage = createMirrorStage();
    await stage.resolve(':latest');
    await stage.resolve(`@${stage.manifest.digest}`);
    expect(stage.registry.asked.filter((one) => one.startsWith('HEAD'))).toEqual(['HEAD latest']);
    await stage.clock.advance(6 * minuteMs);
    expect(await stage.blob(stage.layer)).toBe('ok');
    expect(stage.registry.asked.filter((one) => one.startsWith('HEAD'))).toEqual([
      'HEAD latest',
      `HEAD ${stage.manifest.digest}`,
    ]);
  });

  test('a tag is asked for each time, and may mean something else', async () => {
    const stage = createMirrorStage();
    expect(await stage.resolve(':latest')).toBe(stage.index.digest);
    stage.registry.tags.set('latest', stage.manifest.digest);
    expect(await stage.resolve(':latest')).toBe(stage.manifest.digest);
  });

  test('what one caller proved opens nothing to another', async () => {
    const stage = createMirrorStage();
    stage.registry.password = 'secret';
    expect(await stage.outcome(':latest')).toBe('access_denied');
    expect(await stage.outcome(':latest', me)).toBe('ok');
    expect(await stage.outcome(`@${stage.manifest.digest}`, me)).toBe('ok');
    expect(await stage.blob(stage.layer, me)).toBe('ok');
    for (const other of [nobody, withPassword('wrong')]) {
      expect(await stage.outcome(':latest', other)).toBe('access_denied');
      expect(await stage.outcome(`@${stage.manifest.digest}`, other)).toBe('access_denied');
      expect(await stage.blob(stage.layer, other)).toBe('blob_not_found');
    }
  });

  test('access that the registry takes back ends with the next question', async () => {
    const stage = createMirrorStage();
    stage.registry.password = 'secret';
    await stage.resolve(`@${stage.manifest.digest}`, me);
    stage.registry.password = 'changed';
    await stage.clock.advance(6 * minuteMs);
    expect(await stage.blob(stage.layer, me)).toBe('access_denied');
    expect(await stage.blob(stage.layer, me)).toBe('blob_not_found');
    stage.registry.failure = down();
    expect(await stage.outcome(`@${stage.manifest.digest}`, me)).toBe('registry_unreachable');
  });

  test('the credentials of the agent are shown only where somebody said so', async () => {
    const asked: string[] = [];
    const agent = {
      find: async (registry: string) => {
        asked.push(registry);
        return { kind: 'password', username: 'agent', password: 'secret', from: 'its file' } as const;
      },
    };
    const stage = createMirrorStage({ agent });
    stage.registry.password = 'secret';
    expect(await stage.outcome(':latest')).toBe('ok');
    expect(asked).toEqual(['registry.example']);
    expect(await stage.outcome(':latest', withPassword('wrong'))).toBe('access_denied');
  });

  test('only the registries that are named are mirrored', async () => {
    const stage = createMirrorStage({ registries: ['other.example'] });
    expect(await stage.outcome(':latest')).toBe('image_not_found');
    expect(stage.registry.asked).toEqual([]);
  });

  test('authorization that cannot be read is not taken for none', async () => {
    const stage = createMirrorStage();
    for (const authorization of ['', 'Basic', 'Basic !', 'Digest x=y', `Basic ${'a'.repeat(20_000)}`]) {
      expect(await stage.outcome(':latest', { authorization })).toBe('access_denied');
    }
    expect(stage.registry.asked).toEqual([]);
  });
});

describe('while the registry is out of reach', () => {
  test('what everyone could read once is served to everyone, however long ago that was', async () => {
    const stage = createMirrorStage();
    await stage.resolve(':latest');
    await stage.resolve(`@${stage.manifest.digest}`);
    stage.registry.failure = down();
    await stage.clock.advance(30 * 24 * 60 * minuteMs);
    expect(await stage.resolve(':latest')).toBe(stage.index.digest);
    expect(await stage.resolve(`@${stage.manifest.digest}`, withPassword('any'))).toBe(stage.manifest.digest);
    expect(await stage.blob(stage.layer)).toBe('ok');
    expect(await stage.outcome(':other')).toBe('registry_unreachable');
    expect(await stage.blob(stage.other)).toBe('blob_not_found');
  });

  test('a private image is served to who proved access, until that is too long ago', async () => {
    const stage = createMirrorStage({ offlineTtlMs: 30 * minuteMs });
    stage.registry.password = 'secret';
    await stage.resolve(':latest', me);
    await stage.resolve(`@${stage.manifest.digest}`, me);
    stage.registry.failure = down();
    await stage.clock.advance(20 * minuteMs);
    expect(await stage.outcome(':latest', me)).toBe('ok');
    expect(await stage.blob(stage.layer, me)).toBe('ok');
    expect(await stage.outcome(':latest')).toBe('registry_unreachable');
    expect(await stage.outcome(':latest', withPassword('wrong'))).toBe('registry_unreachable');
    await stage.clock.advance(11 * minuteMs);
    expect(await stage.outcome(':latest', me)).toBe('registry_unreachable');
    expect(await stage.blob(stage.layer, me)).toBe('registry_unreachable');
  });

  test('what is recorded outlives the process, and names nobody', async () => {
    const proofFiles = createProofFiles();
    const before = createMirrorStage({ proofFiles });
    before.registry.password = 'secret';
    await before.resolve(':latest', me);
    const kept = JSON.stringify([...proofFiles.files]);
    expect(kept).toContain(before.index.digest);
    expect(kept).not.toContain('secret');
    expect(kept).not.toContain(me.authorization?.replace('Basic ', ''));
    const after = createMirrorStage({ proofFiles });
    after.registry.failure = down();
    after.stored.set(after.index.digest, after.index.bytes);
    expect(await after.outcome(':latest', me)).toBe('ok');
    expect(await after.outcome(':latest')).toBe('registry_unreachable');
  });

  test('it is asked once in a while, not for each part of an image', async () => {
    const stage = createMirrorStage();
    await stage.resolve(':latest');
    await stage.resolve(`@${stage.manifest.digest}`);
    await stage.clock.advance(6 * minuteMs);
    stage.registry.failure = down();
    stage.registry.asked.length = 0;
    await stage.resolve(':latest');
    await stage.resolve(`@${stage.manifest.digest}`);
    await stage.blob(stage.layer);
    expect(stage.registry.asked).toEqual(['HEAD latest']);
    await stage.clock.advance(11_000);
    await stage.resolve(':latest');
    expect(stage.registry.asked).toEqual(['HEAD latest', 'HEAD latest']);
    stage.registry.failure = undefined;
    stage.registry.tags.set('latest', stage.manifest.digest);
    await stage.clock.advance(11_000);
    expect(await stage.resolve(':latest')).toBe(stage.manifest.digest);
  });

  test('a refusal is no failure: nothing is served from the record after it', async () => {
    for (const code of ['access_denied', 'image_not_found'] as const) {
      const stage = createMirrorStage();
      await stage.resolve(':latest');
      stage.registry.failure = new LayerpullError(code, 'no');
      expect(await stage.outcome(':latest')).toBe(code);
      stage.registry.failure = down();
      expect(await stage.outcome(':latest')).toBe('registry_unreachable');
    }
  });

  test('a registry that fails or limits the rate is out of reach too', async () => {
    for (const code of [
      'registry_failed',
      'rate_limited',
      'registry_protocol',
      'registry_stalled',
    ] as const) {
      const stage = createMirrorStage();
      await stage.resolve(':latest');
      stage.registry.failure = new LayerpullError(code, 'not now');
      expect(await stage.outcome(':latest')).toBe('ok');
    }
  });

  test('a registry that is silent is out of reach too, before the client gives up', async () => {
    const stage = createMirrorStage();
    await stage.resolve(':latest');
    stage.registry.isSilent = true;
    const known = stage.outcome(':latest');
    await stage.clock.advance(8_000);
    expect(await known).toBe('ok');
    expect(await stage.outcome(':latest')).toBe('ok');
    const unknown = stage.outcome(':other');
    await stage.clock.advance(8_000);
    expect(await unknown).toBe('registry_unreachable');
  });

  test('a repository that is no longer for everyone is not served by digest either', async () => {
    const stage = createMirrorStage();
    await stage.resolve(':latest');
    await stage.resolve(`@${stage.manifest.digest}`);
    stage.registry.password = 'secret';
    expect(await stage.outcome(':latest')).toBe('access_denied');
    stage.registry.failure = down();
    for (const { digest } of [stage.index, stage.manifest]) {
      expect(await stage.outcome(`@${digest}`)).toBe('registry_unreachable');
    }
    expect(await stage.blob(stage.layer)).toBe('blob_not_found');
  });

  test('others of the fleet are asked about what is not recorded here', async () => {
    const one = createMirrorStage();
    await one.resolve(':latest');
    const two = createMirrorStage({ askOthers: (reference) => one.mirror.recorded(reference) });
    two.registry.failure = down();
    two.stored.set(two.index.digest, two.index.bytes);
    expect(await two.resolve(':latest')).toBe(two.index.digest);
    expect(await two.outcome(':other')).toBe('registry_unreachable');
  });

  test('others of the fleet are told nothing about private images', async () => {
    const stage = createMirrorStage();
    stage.registry.password = 'secret';
    await stage.resolve(':latest', me);
    expect(await stage.mirror.recorded(stage.mirrorOf(':latest'))).toBeUndefined();
  });
});

test('what a caller shows is shown to the registry it asked for, and to no mirror of it', async () => {
  const { shownTo } = await import('../../src/peer/mirror-caller.ts');
  const credential = { kind: 'password', username: 'a', password: 'b', from: 'c' } as const;
  const { signal } = new AbortController();
  const shown = shownTo('registry.example', credential);
  expect(await shown.find('registry.example', 'app', signal)).toBe(credential);
  expect(await shown.find('mirror.example', 'app', signal)).toBeUndefined();
});
