import { readdirSync } from 'node:fs';
import path from 'node:path';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/core/digest.ts';
import { runCli } from '../support/cli.ts';
import { describeWith } from '../support/components.ts';
import { type PushedImage, pushImage } from '../support/images.ts';
import { openPodman } from '../support/podman.ts';
import { resultOf, startPull } from '../support/pulls.ts';
import { type RealRegistry, startRegistry } from '../support/real-registry.ts';
import { skopeo } from '../support/skopeo.ts';
import { tempDir } from '../support/temp.ts';
import { umoci } from '../support/umoci.ts';

async function pullTo(output: string, { reference }: PushedImage, store = path.join(tempDir(), 'store')) {
  const pull = await startPull({ reference, store, more: ['--output', output] });
  return resultOf(await pull.result());
}

const manifestSchema = v.looseObject({ config: v.looseObject({ digest: v.string() }) });

/** Copies an output into the registry, under a new name, and answers what that holds then. */
async function pushedBack(registry: RealRegistry, source: string, ...flags: string[]) {
  const name = `docker://${registry.host}/back/image:1`;
  await skopeo('copy', '--dest-tls-verify=false', ...flags, source, name);
  const bytes = Buffer.from(await skopeo('inspect', '--tls-verify=false', '--raw', name));
  const { config } = v.parse(manifestSchema, JSON.parse(bytes.toString()));
  return { digest: digestOf(bytes), configDigest: config.digest };
}

describeWith(
  ['docker-registry', 'skopeo', 'umoci', 'podman', 'busybox'],
  'outputs read by other tools',
  () => {
    it.each(['oci', 'oci-archive'])('skopeo brings the same image out of %s: back', async (kind) => {
      const registry = await startRegistry();
      const image = await pushImage(registry, 'library/app:1', { busybox: true, layers: [40_000, 0] });
      const target = path.join(tempDir(), 'out');
      const { output } = await pullTo(`${kind}:${target}:v1`, image);
      expect(output).toMatchObject({ kind, path: target });
      const back = await pushedBack(registry, `${kind}:${target}:v1`, '--preserve-digests');
      expect(back.digest).toBe(image.manifestDigest);
    });

    it('umoci unpacks a folder, of an image that came with the types of docker too', async () => {
      const registry = await startRegistry();
      const image = await pushImage(registry, 'library/app:1', { busybox: true, docker: true });
      const target = path.join(tempDir(), 'new', 'layout');
      await pullTo(`oci:${target}:v1`, image);
      const bundle = path.join(tempDir(), 'bundle');
      await umoci('unpack', '--rootless', '--image', `${target}:v1`, bundle);
      expect(readdirSync(path.join(bundle, 'rootfs'))).toContain('bin');
    });

    describe.each([{ docker: false }, { docker: true }])(
      'an archive of docker, of an image with %o',
      (form) => {
        it('is loaded by podman under the name that was pulled', async () => {
          const registry = await startRegistry();
          const layers = [{ bytes: 50_000, seed: 'a' }, 20_000, { bytes: 50_000, seed: 'a' }];
          const image = await pushImage(registry, 'team/app:1.2', {
            busybox: true,
            gzip: true,
            layers,
            ...form,
          });
          const file = path.join(tempDir(), 'app.tar');
          await pullTo(`docker-archive:${file}`, image);
          const podman = openPodman();
          expect(await podman('load', '--input', file)).toContain(image.reference);
          const [loaded] = JSON.parse(await podman('image', 'inspect', image.reference));
          expect(`sha256:${loaded.Id}`).toBe(image.config.digest);
          const back = await pushedBack(registry, `docker-archive:${file}`);
          expect(back.configDigest).toBe(image.config.digest);
        });
      },
    );

    it('podman and skopeo find the name that was given for an archive of docker', async () => {
      const registry = await startRegistry();
      const image = await pushImage(registry, 'team/app:1.2', { layers: [5_000] });
      const file = path.join(tempDir(), 'app.tar');
      await pullTo(`docker-archive:${file}:busybox`, image);
      const name = 'docker.io/library/busybox:latest';
      expect(JSON.parse(await skopeo('list-tags', `docker-archive:${file}`)).Tags).toEqual([name]);
      expect(await openPodman()('load', '--input', file)).toContain(name);
    });

    it.each([{ docker: false }, { docker: true }])(
      'skopeo finds all platforms in a folder, %o',
      async (form) => {
        const registry = await startRegistry();
        const platforms = ['linux/amd64', 'linux/arm64'];
        const image = await pushImage(registry, 'team/both:1', { layers: [20_000], platforms, ...form });
        const folder = path.join(tempDir(), 'layout');
        const more = ['--all-platforms', '--output', `oci:${folder}:all`];
        const pull = await startPull({
          reference: image.reference,
          store: path.join(tempDir(), 'store'),
          more,
        });
        resultOf(await pull.result());
        const index = await skopeo('inspect', '--raw', `oci:${folder}:all`);
        const isSame = digestOf(Buffer.from(index)) === image.digest;
        expect(isSame).toBe(!form.docker);
        const copy = `oci:${path.join(tempDir(), 'copy')}:all`;
        await skopeo('copy', '--all', `oci:${folder}:all`, copy);
        expect(JSON.parse(await skopeo('inspect', '--raw', copy)).manifests).toHaveLength(2);
      },
    );

    it('is one usage error to ask for all platforms in an archive of docker', async () => {
      const output = `docker-archive:${path.join(tempDir(), 'x.tar')}`;
      const run = await runCli(['pull', 'busybox', '--all-platforms', '--output', output]);
      expect([run.code, run.stderr]).toEqual([2, expect.stringContaining('choose one with --platform')]);
    });

    it('pulls that write into one folder at the same time all leave their image there', async () => {
      const registry = await startRegistry();
      const store = path.join(tempDir(), 'store');
      const folder = path.join(tempDir(), 'layout');
      const tags = ['a', 'b', 'c', 'd'];
      const images = await Promise.all(
        tags.map((tag) => pushImage(registry, `team/${tag}:1`, { layers: [9_000] })),
      );
      await Promise.all(images.map((image, at) => pullTo(`oci:${folder}:${tags[at]}`, image, store)));
      for (const [at, image] of images.entries()) {
        const raw = await skopeo('inspect', '--raw', `oci:${folder}:${tags[at]}`);
        expect(digestOf(Buffer.from(raw))).toBe(image.manifestDigest);
      }
    });

    it('podman loads an archive of OCI', async () => {
      const registry = await startRegistry();
      const image = await pushImage(registry, 'team/app:1.2', { layers: [5_000] });
      const file = path.join(tempDir(), 'app.tar');
      await pullTo(`oci-archive:${file}:app`, image);
      expect(await openPodman()('load', '--input', file)).toContain('app');
    });
  },
);
