import type { ImageOutputConfig } from '../config/output.ts';
import type { Clock } from '../core/clock.ts';
import { LayerpullError } from '../core/errors.ts';
import type { PullOutput } from '../orchestrator/output.ts';
import { type ImageReference, nameOf, parseReference } from '../registry/reference.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { ingestPath } from '../store/layout.ts';
import { countingReads } from '../store/outputs/counted.ts';
import { dockerArchive } from '../store/outputs/docker-archive.ts';
import type { ImageOutput } from '../store/outputs/image-output.ts';
import { ociArchive } from '../store/outputs/oci-archive.ts';
import { ociDirectory } from '../store/outputs/oci-directory.ts';
import { fileTarget, streamTarget } from '../store/outputs/sinks.ts';

export interface OutputDeps {
  readonly blobs: BlobStore;
  /** What is pulled. */
  readonly reference: ImageReference;
  readonly clock: Clock;
}

/**
 * Wires `--output`, and looks whether it can be written, before anybody waits for a download.
 *
 * @throws LayerpullError `output_failed`, `invalid_reference`, `usage`
 */
export async function composeOutput(config: ImageOutputConfig, deps: OutputDeps): Promise<PullOutput> {
  const output = createOutput(config, deps);
  await output.check();
  return {
    kind: config.kind,
    path: config.path,
    write: async ({ manifest, index }, onRead, signal) => {
      const whole = config.allPlatforms && index ? { index: index.descriptor } : {};
      const image = { manifest: manifest.descriptor, ...whole };
      return await output.write(image, countingReads(deps.blobs, onRead), signal);
    },
  };
}

function createOutput(config: ImageOutputConfig, { blobs, reference, clock }: OutputDeps): ImageOutput {
  const { kind, path, name } = config;
  if (kind === 'oci') return ociDirectory({ folder: path, tag: name, clock });
  const target = path === '-' ? streamTarget(process.stdout) : fileTarget(path);
  if (kind === 'oci-archive') return ociArchive({ target, tag: name });
  const names = namesFor(name === undefined ? reference : givenName(name));
  return dockerArchive({ target, drafts: ingestPath({ root: blobs.path }), names });
}

function givenName(text: string): ImageReference {
  const reference = parseReference(text);
  if (reference.digest === undefined) return reference;
  throw new LayerpullError('usage', `--output: the name "${text}" has a digest`, {
    hint: 'an archive of docker takes NAME[:TAG]',
  });
}

/**
 * In full, as skopeo and podman write them: docker shortens them itself, and podman would load `busybox:latest` as
 * `localhost/busybox:latest`. An image that was pulled by digest alone has no name in docker either.
 */
function namesFor(reference: ImageReference): string[] {
  return reference.tag === undefined ? [] : [`${nameOf(reference)}:${reference.tag}`];
}
