import { describe, expect, it } from 'vitest';
import { mediaTypes, type Platform } from '../../src/core/descriptor.ts';
import { parseReference } from '../../src/registry/reference.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { jsonBlob } from '../support/fake-registry.ts';
import { createAtHand, manifestRequests, resolveWith } from './documents-at-hand.ts';
import { amd64, createRig, errorOf } from './support.ts';

const arm64: Platform = { os: 'linux', architecture: 'arm64' };

describe('resolving with documents at hand', () => {
  it('costs one HEAD when the tag still means what is there', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage();
    const stored = createAtHand();
    stored.keep(made.manifest);
    const image = await resolveWith(rig, made.reference, { stored });
    expect(image.manifest.descriptor).toMatchObject({ digest: made.digest, size: made.manifest.size });
    expect(Buffer.from(image.manifest.bytes)).toEqual(made.manifest.bytes);
    expect(manifestRequests(rig.fake)).toEqual(['HEAD latest']);
    expect(rig.fake.requests[0]?.accept).toContain(mediaTypes.ociIndex);
    expect(rig.fake.bytesSent()).toBe(0);
  });

  it.each([{ docker: true }, { docker: false }, { algorithm: 'sha512' as const }])(
    'takes index and manifest from there: %o',
    async (options) => {
      const rig = await createRig();
      const made = rig.fake.addImage({ ...options, platforms: [amd64, arm64] });
      const stored = createAtHand();
      stored.keep(...(made.index ? [made.index] : []), ...made.manifests);
      const image = await resolveWith(rig, made.reference, { stored, platform: arm64 });
      expect(image.manifest.descriptor.digest).toBe(made.manifests[1]?.digest);
      expect(image.manifest.descriptor.mediaType).toBe(made.manifests[1]?.mediaType);
      expect(image.index?.descriptor.digest).toBe(made.digest);
      expect(manifestRequests(rig.fake)).toEqual(['HEAD latest']);
    },
  );

  it('reads from the registry only what is missing', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage({ platforms: [amd64, arm64] });
    const stored = createAtHand();
    if (made.index) stored.keep(made.index);
    await resolveWith(rig, made.reference, { stored });
    expect(manifestRequests(rig.fake)).toEqual(['HEAD latest', `GET ${made.manifest.digest}`]);
  });

  it('reads by tag what is not there, so that the bytes say what it is', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage();
    expect(
      (await resolveWith(rig, made.reference, { stored: createAtHand() })).manifest.descriptor.digest,
    ).toBe(made.digest);
    expect(manifestRequests(rig.fake)).toEqual(['HEAD latest', 'GET latest']);
  });

  it('follows a tag that moved', async () => {
    const rig = await createRig();
    const old = rig.fake.addImage({ layers: [10] });
    const stored = createAtHand();
    stored.keep(old.manifest);
    const fresh = rig.fake.addImage({ layers: [20] });
    expect((await resolveWith(rig, fresh.reference, { stored })).manifest.descriptor.digest).toBe(
      fresh.digest,
    );
  });

  it('asks by HEAD for a digest too, which proves access, and by nothing else', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage();
    const stored = createAtHand();
    stored.keep(made.manifest);
    const reference = `${rig.fake.host}/library/app@${made.digest}`;
    await resolveWith(rig, reference, { stored });
    expect(manifestRequests(rig.fake)).toEqual([`HEAD ${made.digest}`]);
  });

  it('needs no HEAD for a digest that has to be read anyway', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage();
    await resolveWith(rig, `${rig.fake.host}/library/app@${made.digest}`, { stored: createAtHand() });
    expect(manifestRequests(rig.fake)).toEqual([`GET ${made.digest}`]);
  });

  it('gets a token for the HEAD where the registry wants one', async () => {
    const rig = await createRig({ auth: { kind: 'bearer' } });
    const made = rig.fake.addImage();
    const stored = createAtHand();
    stored.keep(made.manifest);
    await resolveWith(rig, made.reference, { stored });
    expect(manifestRequests(rig.fake)).toEqual(['HEAD latest', 'HEAD latest']);
  });

  it.each([
    { kind: 'notFound' } as const,
    { kind: 'serverError', status: 405 } as const,
    { kind: 'serverError', status: 501 } as const,
    { kind: 'serverError', status: 503 } as const,
    { kind: 'tooManyRequests' } as const,
    { kind: 'denied' } as const,
    { kind: 'reset' } as const,
    { kind: 'redirectsTo', url: 'latest', status: 301 } as const,
  ])('asks by GET where HEAD fails: %o', async (fault) => {
    const rig = await createRig();
    const made = rig.fake.addImage();
    const stored = createAtHand();
    stored.keep(made.manifest);
    rig.fake.fault('latest', fault, fault.kind === 'redirectsTo' ? 6 : 1);
    expect((await resolveWith(rig, made.reference, { stored })).manifest.descriptor.digest).toBe(made.digest);
    expect(manifestRequests(rig.fake).at(-1)).toBe('GET latest');
  });

  it('asks by GET when no HEAD is answered within ten seconds', async () => {
    const clock = createFakeClock();
    const rig = await createRig({ clock });
    const made = rig.fake.addImage();
    const stored = createAtHand();
    stored.keep(made.manifest);
    rig.fake.fault('latest', { kind: 'silent' });
    const resolving = resolveWith(rig, made.reference, { stored });
    await rig.fake.arrived('latest');
    await clock.advance(10_000);
    expect((await resolving).manifest.descriptor.digest).toBe(made.digest);
    expect(manifestRequests(rig.fake)).toEqual(['HEAD latest', 'GET latest']);
  });

  it('ends at once when it is aborted during the HEAD', async () => {
    const { fake, client } = await createRig();
    const made = fake.addImage();
    fake.fault('latest', { kind: 'silent' });
    const abort = new AbortController();
    const options = { platform: amd64, stored: createAtHand() };
    const failing = errorOf(client.resolve(parseReference(made.reference), options, abort.signal));
    await fake.arrived('latest');
    const reason = new Error('interrupted');
    abort.abort(reason);
    expect(await failing).toBe(reason);
    expect(manifestRequests(fake)).toEqual(['HEAD latest']);
  });

  it('ends with the error of the GET when the registry denies a digest that is there', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage();
    const stored = createAtHand();
    stored.keep(made.manifest);
    rig.fake.fault(made.digest, { kind: 'denied' }, 9);
    const reference = `${rig.fake.host}/library/app@${made.digest}`;
    const error = await errorOf(resolveWith(rig, reference, { stored }));
    expect(error).toMatchObject({ code: 'access_denied' });
  });

  it('believes no digest header that names what is not there', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage();
    const stored = createAtHand();
    stored.keep(made.manifest);
    rig.fake.fault('latest', { kind: 'lyingDigestHeader' }, 2);
    expect((await resolveWith(rig, made.reference, { stored })).manifest.descriptor.digest).toBe(made.digest);
    expect(manifestRequests(rig.fake)).toEqual(['HEAD latest', 'GET latest']);
  });

  it('refuses a manifest at hand that an index lists with another size', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage();
    const { mediaType, digest, size } = made.manifest;
    const lying = jsonBlob(
      {
        schemaVersion: 2,
        mediaType: mediaTypes.ociIndex,
        manifests: [{ mediaType, digest, size: size - 1 }],
      },
      mediaTypes.ociIndex,
    );
    rig.fake.addManifest('library/app', lying, 'lying');
    const stored = createAtHand();
    stored.keep(made.manifest, lying);
    const error = await errorOf(resolveWith(rig, `${rig.fake.host}/library/app:lying`, { stored }));
    expect(error).toMatchObject({ code: 'size_mismatch' });
  });

  it('asks for nothing that is no digest, whatever the header says', async () => {
    const rig = await createRig();
    const made = rig.fake.addImage();
    const stored = createAtHand();
    for (const digest of ['sha256:../../../etc/passwd', made.digest.toUpperCase(), 'sha256:00', '']) {
      rig.fake.addManifest(
        'library/app',
        { ...made.manifest, digest: digest as typeof made.manifest.digest },
        'odd',
      );
      await resolveWith(rig, `${rig.fake.host}/library/app:odd`, { stored });
    }
    expect(stored.asked).toEqual([]);
  });
});
