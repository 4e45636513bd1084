import { messageOf } from '../core/errors.ts';
import { type Log, silentLog } from '../core/log.ts';
import { createAccess } from './access.ts';
import { createTokens } from './auth.ts';
import { createPasswords } from './basic.ts';
import { createBlobs } from './blobs.ts';
import { type Credentials, noCredentials } from './credentials/credentials.ts';
import type { Reader, RetryBounds } from './documents.ts';
import type { ImageRegistry } from './image-registry.ts';
import { createInTurn } from './in-turn.ts';
import { type LineOptions, openLine } from './line.ts';
import { formatReference } from './reference.ts';
import { resolveImage } from './resolve.ts';

export interface RegistryOptions extends LineOptions {
  readonly log?: Log;
  /** Asked when a registry wants to know who reads. Default: none, an anonymous reader. */
  readonly credentials?: Credentials;
  /** For manifests and tokens; blobs are resumed by whoever reads them. */
  readonly bounds?: RetryBounds;
  /** Milliseconds without a byte of a blob until its connection is given up. Default 20,000. */
  readonly stallMs?: number;
}

/**
 * Reads images from any registry that speaks the OCI distribution API.
 *
 * @throws LayerpullError `usage` for certificate files of `tls` that cannot be used
 */
export function createRegistry(options: RegistryOptions): ImageRegistry {
  const { clock, log = silentLog, credentials = noCredentials, mirrors = {} } = options;
  const bounds = { onPause: tellingPauses(log), ...options.bounds };
  const line = openLine(options);
  const closing = new AbortController();
  const closed = closing.signal;
  const tokens = createTokens({ transport: line.transport, clock, credentials, closed });
  const access = createAccess(line.transport, tokens, createPasswords(credentials, closed));
  const inTurn = createInTurn({ servers: line.servers, clock, mirrors, bounds });
  return {
    async resolve(reference, options, signal) {
      const image = await inTurn.first(reference, signal, (scope, alone) => {
        const reader: Reader = { access, clock, bounds: alone ? bounds : { ...bounds, retries: 0 } };
        return resolveImage(reader, scope, reference, options, signal);
      });
      const { digest } = image.manifest.descriptor;
      log.debug({ image: formatReference(reference), digest, layers: image.layers.length }, 'resolved');
      return image;
    },
    blobs: (reference) =>
      inTurn.blobs(reference, line.endpoint(reference.registry).base.origin, (scope) =>
        createBlobs(access, scope, { clock, stallMs: options.stallMs }),
      ),
    async close() {
      closing.abort(new Error('the registry client is closed'));
      await line.close();
    },
  };
}

/** A shorter pause is over before anybody wonders. */
const longPauseMs = 5_000;

/** Layers show their own retries; before there are any, nobody knows what a pull waits for. */
function tellingPauses(log: Log): NonNullable<RetryBounds['onPause']> {
  return (error, ms) => {
    if (ms < longPauseMs) return;
    log.warn({}, `${messageOf(error)}; trying again in ${Math.ceil(ms / 1_000)} s`);
  };
}
