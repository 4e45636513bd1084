import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { type ServedLayers, startShare } from '../../src/compose/share.ts';
import type { PeerAddress } from '../../src/config/share.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { LayerpullError } from '../../src/core/errors.ts';
import { openStore } from '../../src/store/oci-layout.ts';
import { tempDir } from '../support/temp.ts';

const served: ServedLayers = {
  scheme: 'http',
  port: 7041,
  readers: () => 0,
  lastSentMs: () => Number.NEGATIVE_INFINITY,
  close: async () => {},
};

async function share(address: PeerAddress, servers: readonly string[], failure?: Error) {
  const listened: PeerAddress[] = [];
  const warnings: LayerpullError[] = [];
  const result = await startShare({
    config: { address, lingerMs: 0 },
    servers: servers.map((server) => new URL(server)),
    store: await openStore({ path: tempDir(), clock: systemClock }),
    serve: async (_store, where) => {
      if (failure) throw failure;
      listened.push(where);
      return served;
    },
    clock: systemClock,
    onWarning: (warning) => warnings.push(warning),
  });
  return { url: result?.url, listened, warnings };
}

describe('the address at which a pull serves', () => {
  it('is the one from which the lock server is reached, and only there it listens', async () => {
    const { url, listened } = await share({ host: undefined, port: 0 }, ['http://127.0.0.1:9']);
    expect(url).toBe('http://127.0.0.1:7041');
    expect(listened).toEqual([{ host: '127.0.0.1', port: 0 }]);
  });

  it('is that of the first lock server that can be routed to', async () => {
    const { url } = await share({ host: undefined, port: 0 }, [
      'http://no-such-host.invalid:1',
      'http://127.0.0.1:9',
    ]);
    expect(url).toBe('http://127.0.0.1:7041');
  });

  it('is rather one that other machines can use, where a lock server runs on this one', async () => {
    const all = Object.values(networkInterfaces()).flatMap((some) => some ?? []);
    // A machine without a network has but one address for all.
    const own = all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1';
    const servers = ['http://127.0.0.1:9', `http://${own}:9`, 'http://no-such-host.invalid:1'];
    const { url, listened } = await share({ host: undefined, port: 0 }, servers);
    expect(url).toBe(`http://${own}:7041`);
    expect(listened).toEqual([{ host: own, port: 0 }]);
  });

  it('is the given one', async () => {
    const { url, listened } = await share({ host: 'fd00::12', port: 7041 }, []);
    expect(url).toBe('http://[fd00::12]:7041');
    expect(listened).toEqual([{ host: 'fd00::12', port: 7041 }]);
  });

  it('is on all interfaces where only a port is given', async () => {
    const { url, listened } = await share({ host: undefined, port: 7041 }, ['http://127.0.0.1:9']);
    expect(url).toBe('http://127.0.0.1:7041');
    expect(listened).toEqual([{ host: undefined, port: 7041 }]);
  });

  it('is none, with a warning, where nobody can be reached or nothing can listen', async () => {
    const lost = await share({ host: undefined, port: 0 }, ['http://no-such-host.invalid:1']);
    const taken = await share({ host: '127.0.0.1', port: 1 }, [], new Error('listen EADDRINUSE'));
    for (const { url, warnings } of [lost, taken]) {
      expect(url).toBeUndefined();
      expect(warnings.map(({ code }) => code)).toEqual(['share_failed']);
    }
    expect(taken.warnings[0]?.message).toContain('EADDRINUSE');
  });
});
