import type { Digest } from './digest.ts';
import { LayerpullError } from './errors.ts';

/** What names content in a manifest: type, digest and size in bytes (OCI image-spec `descriptor.md`). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** OCI image-spec `platform`; `os` and `architecture` use Go's names. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

export const mediaTypes = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  dockerManifestList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerSchema1: 'application/vnd.docker.distribution.manifest.v1+json',
  dockerSchema1Signed: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
} as const;

/** `os/arch` or `os/arch/variant`. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return variant ? `${os}/${architecture}/${variant}` : `${os}/${architecture}`;
}

const platformPart = /^[A-Za-z0-9_.-]{1,64}$/;

/**
 * Reads `os/arch` or `os/arch/variant` and normalises it as containerd does (`linux/x86_64` is `linux/amd64`,
 * `linux/arm64/v8` is `linux/arm64`). @throws LayerpullError `invalid_platform`
 */
export function parsePlatform(text: string): Platform {
  const [os = '', architecture, variant, ...rest] = text.split('/');
  const parts = variant === undefined ? [os, architecture ?? ''] : [os, architecture ?? '', variant];
  if (rest.length > 0 || !parts.every((part) => platformPart.test(part))) {
    const shown = text.slice(0, 80).replace(/[^\x20-\x7e]/g, '?');
    throw new LayerpullError('invalid_platform', `"${shown}" is not a platform`, {
      hint: 'write os/arch or os/arch/variant, as in linux/amd64 or linux/arm/v7',
    });
  }
  return normalisePlatform({ os, architecture: architecture ?? '', ...(variant ? { variant } : {}) });
}

const osNames: ReadonlyMap<string, string> = new Map([['macos', 'darwin']]);

/** Other names of architectures, some of which imply a variant. */
const architectureNames: ReadonlyMap<string, readonly [architecture: string, variant?: string]> = new Map([
  ['i386', ['386']],
  ['x86_64', ['amd64']],
  ['x86-64', ['amd64']],
  ['aarch64', ['arm64']],
  ['armhf', ['arm', 'v7']],
  ['armel', ['arm', 'v6']],
]);

/** What an architecture means without a variant, and the lowest variant that there is. */
const variants: ReadonlyMap<string, { readonly implied: number; readonly lowest: number }> = new Map([
  ['amd64', { implied: 1, lowest: 1 }],
  ['arm64', { implied: 8, lowest: 8 }],
  ['arm', { implied: 7, lowest: 5 }],
]);

/** One spelling for each platform. The variants that go without saying, amd64 v1 and arm64 v8, are left out. */
export function normalisePlatform(platform: Platform): Platform {
  const lowerOs = platform.os.toLowerCase();
  const lowerArchitecture = platform.architecture.toLowerCase();
  const os = osNames.get(lowerOs) ?? lowerOs;
  const [architecture, implied] = architectureNames.get(lowerArchitecture) ?? [lowerArchitecture];
  const variant = normaliseVariant(architecture, implied ?? platform.variant?.toLowerCase());
  return { os, architecture, ...(variant ? { variant } : {}) };
}

function normaliseVariant(architecture: string, variant: string | undefined): string | undefined {
  const known = variants.get(architecture);
  if (!known) return variant;
  const full = variant ? variant.replace(/^(\d)/, 'v$1') : `v${known.implied}`;
  return full === `v${known.implied}` && architecture !== 'arm' ? undefined : full;
}

/**
 * The place in `offered` of the platform that suits `wanted` best: the same one, or else one of a lower variant,
 * which newer processors also run (arm v7 runs v6 and v5). Undefined when none does.
 */
export function matchPlatform(wanted: Platform, offered: readonly Platform[]): number | undefined {
  const names = offered.map((platform) => formatPlatform(normalisePlatform(platform)));
  for (const suitable of suitablePlatforms(normalisePlatform(wanted))) {
    const place = names.indexOf(formatPlatform(normalisePlatform(suitable)));
    if (place >= 0) return place;
  }
  return undefined;
}

function suitablePlatforms(wanted: Platform): Platform[] {
  const known = variants.get(wanted.architecture);
  const number = wanted.variant === undefined ? known?.implied : Number(/^v(\d)$/.exec(wanted.variant)?.[1]);
  if (!known || !number) return [wanted];
  const suitable = [wanted];
  for (let lower = number - 1; lower >= known.lowest; lower -= 1) {
    suitable.push({ ...wanted, variant: `v${lower}` });
  }
  return suitable;
}
