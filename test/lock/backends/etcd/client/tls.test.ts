import { expect, it } from 'vitest';
import type { LayerpullError } from '../../../../../src/core/errors.ts';
import { createAuthority } from '../../../../support/certificates.ts';
import { onCleanup } from '../../../../support/cleanup.ts';
import { describeWith } from '../../../../support/components.ts';
import { startEtcd } from '../../../../support/etcd.ts';
import { etcdClient } from '../../../../support/etcd-stage.ts';
import { startTcpGate } from '../../../../support/tcp-gate.ts';

const callMs = 5_000;

describeWith(['etcd'], 'a client of etcd over TLS', () => {
  it('trusts the authority that it is given, for an address and for a name, without a warning', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => void warnings.push(warning);
    process.on('warning', onWarning);
    onCleanup(() => void process.off('warning', onWarning));
    const { address, tls } = await startEtcd({ tls: {} });
    for (const endpoint of [address, address.replace('127.0.0.1', 'localhost')]) {
      const etcd = etcdClient({ endpoints: [endpoint], tls: { ca: tls?.ca ?? '' }, callMs });
      expect((await etcd.list('')).entries).toEqual([]);
    }
    expect(warnings).toEqual([]);
  });

  it('does not trust the certificate of another authority', async () => {
    const { address } = await startEtcd({ tls: {} });
    const { cert: ca } = createAuthority('Somebody else');
    const said = `cannot reach etcd at ${address} (unable to verify the first certificate) (give --etcd-ca, a file with the authority of the certificate of etcd)`;
    const etcd = etcdClient({ endpoints: [address], tls: { ca }, callMs });
    expect(await problemOf(etcd.list(''))).toBe(said);
    const likeNode = etcdClient({ endpoints: [address], tls: {}, callMs });
    expect(await problemOf(likeNode.list(''))).toBe(said);
  });

  it('does not trust the certificate of another host', async () => {
    const { address, tls } = await startEtcd({ tls: {} });
    const gate = await startTcpGate(address, '127.0.0.2');
    const etcd = etcdClient({ endpoints: [gate.address], tls: { ca: tls?.ca ?? '' }, callMs });
    const problem = await problemOf(etcd.list(''));
    expect(problem).toContain("(Hostname/IP does not match certificate's altnames: IP: 127.0.0.2 is not");
    expect(problem).toContain('(name etcd as its certificate does, or give it another one)');
  });

  it('shows its own certificate to an etcd that asks for one', async () => {
    const { address, tls } = await startEtcd({ tls: { clients: true } });
    if (!tls) throw new Error('no TLS');
    const known = etcdClient({ endpoints: [address], tls, callMs });
    expect((await known.list('')).entries).toEqual([]);
    const unknown = etcdClient({ endpoints: [address], tls: { ca: tls.ca }, callMs });
    expect(await problemOf(unknown.list(''))).toContain(
      '(give --etcd-cert and --etcd-key, a pair whose authority etcd knows)',
    );
  });

  it('says what is wrong where only one side speaks TLS', async () => {
    const secured = await startEtcd({ tls: {} });
    const clear = await startEtcd();
    const inClear = etcdClient({ endpoints: [secured.address], callMs });
    const overTls = etcdClient({ endpoints: [clear.address], tls: {}, callMs });
    for (const etcd of [inClear, overTls]) {
      expect(await problemOf(etcd.list(''))).toMatch(
        /^cannot reach etcd at [\d.:]+ \(.+\) \(check that etcd runs there; with TLS it is etcds:\/\/, without it etcd:\/\/\)$/,
      );
    }
  });
});

/** What a call that cannot be made says. */
async function problemOf(call: Promise<unknown>): Promise<string> {
  const error = await call.catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'etcd_unreachable', exitCode: 5, origin: 'lock' });
  const { message, hint } = error as LayerpullError;
  return `${message} (${hint})`;
}
