import { LayerpullError, messageOf } from '../core/errors.ts';
import type { FleetTrust } from '../http/fleet-trust.ts';
import { trustOfAgent } from '../lock/embedded-agent.ts';
import { createPeers } from '../peer/client.ts';
import { guided } from '../peer/guided.ts';
import { createPeerHealth } from '../peer/peer-health.ts';
import { createPeerServer } from '../peer/server.ts';
import { quietMs } from './linger.ts';
import type { PeerParts, PeerPartsOptions } from './peer-parts.ts';
import type { ServedLayers, ServeLayers, SharingSession } from './share.ts';
import { openTrust, servingOf, warnWhenOpen } from './trust.ts';

/** Wires what a pull needs of other nodes: reading from them, and serving them. @throws LayerpullError `usage` */
export async function loadPeerParts(options: PeerPartsOptions): Promise<PeerParts> {
  const { config, clock, log, onWarning } = options;
  const trust = config.trust ? openTrust(config.trust, log) : await openTrustOfAgent(options);
  const { maxTransfers, ...reading } = config.peers;
  const peers = createPeers({ userAgent: `layerpull/${config.version}`, clock, trust, ...reading });
  const health = createPeerHealth((message) => onWarning(unusable(message)));
  const serve: ServeLayers = async (store, { host = '::', port }) => {
    const serving = await servingOf(trust);
    const server = createPeerServer({ blobs: store.growing, clock, log, serving, maxTransfers });
    const listening = await server.listen({ host, port });
    warnWhenOpen('what this node shares', host, serving, log);
    const served: ServedLayers = {
      scheme: serving.scheme,
      port: listening.port,
      readers: () => server.movingReaders(quietMs),
      lastSentMs: () => server.lastSentMs(),
      close: async () => {
        await server.close();
        serving.close();
      },
    };
    return served;
  };
  return {
    reading: { guided: (guide, registry) => guided({ guide, registry, peers, health, clock }) },
    serve,
    sharing: (session): SharingSession => ({
      announce: ({ add, remove }) => session.announce(add, remove),
      welcome: () => session.welcome(),
      drain: () => session.drain(),
      get children() {
        return session.children();
      },
    }),
    async close() {
      await peers.close();
      trust?.close();
    },
  };
}

/** A pull on the store of an agent belongs to its fleet as the agent does. */
async function openTrustOfAgent({
  config,
  log,
  onWarning,
}: PeerPartsOptions): Promise<FleetTrust | undefined> {
  const files = await trustOfAgent(config.store);
  try {
    return openTrust(files, log);
  } catch (error) {
    const message = `what the agent of the store shows to other nodes cannot be used: ${messageOf(error)}`;
    const hint = 'give the token and the certificates of the fleet to this pull, too';
    onWarning(new LayerpullError('peers_unusable', message, { origin: 'peer', hint }));
    return undefined;
  }
}

function unusable(message: string): LayerpullError {
  return new LayerpullError('peers_unusable', message, {
    origin: 'peer',
    hint: 'see whether nodes reach each other at the addresses that `layerpull nodes` shows, and whether all have the token and the certificates of the fleet',
  });
}
