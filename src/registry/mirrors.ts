import { LayerpullError } from '../core/errors.ts';
import type { Scope } from './auth.ts';
import { type Endpoint, networkHost } from './endpoint.ts';
import { type ImageReference, nameOf } from './reference.ts';
import type { RegistriesConf, RepositoryPlace } from './registries-conf.ts';

/** A mirror as somebody names it: another registry with the same repositories, maybe below a path. */
export interface MirrorPlace {
  /** Absent: as for a registry, https, and http on this machine. */
  readonly scheme?: 'http' | 'https';
  /** `10.0.0.11:5000` */
  readonly host: string;
  /** What stands before each repository's name, without slashes at its ends; empty for nothing. */
  readonly path: string;
}

export interface MirrorList {
  readonly places: readonly MirrorPlace[];
  /** Begin with any of them, so that many nodes share the load. */
  readonly shuffled: boolean;
}

/** One server that may have an image. */
export interface ImageServer {
  readonly scope: Scope;
  readonly isMirror: boolean;
  /** For people and results: scheme and host, and the path of a mirror that has one. */
  readonly url: string;
}

/** The servers for an image, in the order in which they are asked: the mirrors, and the registry itself last. */
export type ImageServers = (reference: ImageReference) => Promise<readonly ImageServer[]>;

export interface MirrorSources {
  /** The mirrors for a registry, if anybody named some; an empty list means none, whatever registries.conf says. */
  readonly mirrorsOf?: (registry: string) => MirrorList | undefined;
  /** Read once, with the first image. */
  readonly loadRegistriesConf?: () => Promise<RegistriesConf | undefined>;
  /** For mirrors of registries.conf. */
  readonly shuffled?: boolean;
}

export interface ImageServerOptions extends MirrorSources {
  /** Where a registry answers when nobody says how to speak to it; an insecure one over https at first. */
  readonly endpointOf: (registry: string, insecure: boolean) => Endpoint;
  /** Random number in [0, 1). Default `Math.random`. */
  readonly random?: () => number;
  /** Takes the hosts for which any certificate and plain http are good enough, before they are asked. */
  readonly insecureHosts?: Set<string>;
}

/** @throws LayerpullError (of the result) `usage`, `access_denied` for an image that registries.conf blocks */
export function createImageServers(options: ImageServerOptions): ImageServers {
  const { mirrorsOf, loadRegistriesConf, random = Math.random } = options;
  let loading: Promise<RegistriesConf | undefined> | undefined;
  return async (reference) => {
    loading ??= loadRegistriesConf?.();
    const found = (await loading)?.find(reference);
    if (found?.blockedBy !== undefined) throw blocked(reference, found.blockedBy);
    const { registry, repository } = reference;
    const list = mirrorsOf?.(registry);
    const mirrors = list
      ? list.places.map((place) => mirrorAt(place, repository, options))
      : (found?.mirrors ?? []).map((place) => serverAt(place, true, options));
    const isShuffled = list ? list.shuffled : options.shuffled === true;
    const own = serverAt(found?.location ?? { host: registry, repository }, false, options);
    return [...withoutRepeats(isShuffled ? shuffle(mirrors, random) : mirrors, own), own];
  };
}

interface ServerPlace extends Partial<RepositoryPlace> {
  readonly scheme?: 'http' | 'https';
  readonly host: string;
  readonly repository: string;
}

function serverAt(place: ServerPlace, isMirror: boolean, options: ImageServerOptions): ImageServer {
  const endpoint = endpointAt(place, options);
  if (place.insecure) options.insecureHosts?.add(endpoint.base.host);
  return { scope: { endpoint, repository: place.repository }, isMirror, url: endpoint.base.origin };
}

function mirrorAt(place: MirrorPlace, repository: string, options: ImageServerOptions): ImageServer {
  if (place.path === '') return serverAt({ ...place, repository }, true, options);
  const server = serverAt({ ...place, repository: `${place.path}/${repository}` }, true, options);
  return { ...server, url: `${server.url}/${place.path}` };
}

/** A server has the name of its host, not that of the registry: so it is shown its own credentials and no others. */
function endpointAt(place: ServerPlace, { endpointOf }: ImageServerOptions): Endpoint {
  const { scheme, host, insecure = false } = place;
  if (scheme === undefined) return endpointOf(host, insecure);
  return { registry: host, base: new URL(`${scheme}://${networkHost(host)}/`) };
}

/** Fisher and Yates. */
function shuffle<T>(list: readonly T[], random: () => number): T[] {
  const mixed = [...list];
  for (let at = mixed.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1));
    [mixed[at], mixed[other]] = [mixed[other] as T, mixed[at] as T];
  }
  return mixed;
}

/** Each mirror once, and none that is the registry itself: that is asked last. */
function withoutRepeats(mirrors: readonly ImageServer[], own: ImageServer): ImageServer[] {
  const keyOf = ({ url, scope }: ImageServer) => `${url} ${scope.repository}`;
  const byKey = new Map(mirrors.map((mirror) => [keyOf(mirror), mirror]));
  byKey.delete(keyOf(own));
  return [...byKey.values()];
}

function blocked(reference: ImageReference, file: string): LayerpullError {
  return new LayerpullError('access_denied', `${nameOf(reference)} is blocked by ${file}`, {
    hint: 'take the image from elsewhere, or change that file',
    origin: 'user',
  });
}
