import { describe, expect, it } from 'vitest';
import { readEtcdUrl } from '../../src/config/etcd-url.ts';
import { describeWith } from '../support/components.ts';
import { readComposeServices, readDeployFile, readResources, readUnit } from '../support/deploy-files.ts';
import { etcdFlags } from '../support/etcd-flags.ts';

const services = readComposeServices('etcd/compose.yaml');
const [compose] = readResources('etcd/compose.yaml');
const etcds = services.filter(({ command }) => command[0] === '/usr/local/bin/etcd');
const servers = services.filter(({ command }) => command[0] === 'serve');
const flagsOf = (words: readonly string[]) =>
  new Map(
    words.flatMap((word) => {
      const [, name, value] = /^--([a-z-]+)=(.+)$/.exec(word) ?? [];
      return name === undefined || value === undefined ? [] : [[name, value] as const];
    }),
  );
const unitFlags = flagsOf(
  readUnit('etcd/etcd@.service')
    .find(({ name }) => name === 'ExecStart')
    ?.value.split(' ')
    .slice(1) ?? [],
);

/** The variables of a file, by name. */
const variablesOf = (file: string) =>
  new Map([...readDeployFile(file).matchAll(/^([A-Z_]+)=(.+)$/gm)].map(([, name, value]) => [name, value]));

describe('the compose file with etcd', () => {
  it('has three etcds and three lock servers, and nothing else', () => {
    expect(etcds.map(({ name }) => name)).toEqual(['etcd-1', 'etcd-2', 'etcd-3']);
    expect(servers.map(({ name }) => name)).toEqual(['lock-1', 'lock-2', 'lock-3']);
    expect(services).toHaveLength(6);
  });

  it('starts members that are alike but for their names and addresses', () => {
    const alike = etcds.map(({ name, command }) =>
      command.map((word) => (word.startsWith('--initial-cluster=') ? word : word.replaceAll(name, 'MEMBER'))),
    );
    expect(new Set(alike.map((words) => words.join(' '))).size).toBe(1);
    expect(alike[0]).toContain('--name=MEMBER');
  });

  it('names in each member all members, at the addresses that they advertise', () => {
    const advertised = etcds.map(({ name, command }) => {
      return `${name}=${flagsOf(command).get('initial-advertise-peer-urls')}`;
    });
    for (const { command } of etcds)
      expect(flagsOf(command).get('initial-cluster')).toBe(advertised.join(','));
  });

  it('starts servers that are alike, and that find all members', () => {
    expect(new Set(servers.map(({ command }) => command.join(' '))).size).toBe(1);
    const text = flagsOf(servers[0]?.command ?? []).get('backend') ?? '';
    expect(readEtcdUrl({ from: '--backend', text })).toEqual({
      endpoints: ['etcd-1:2379', 'etcd-2:2379', 'etcd-3:2379'],
      prefix: 'layerpull',
      isSecure: false,
    });
  });

  it('keeps the data of each member in a volume of its own, and hands the token on', () => {
    for (const { name, command } of etcds) {
      const [mount] = compose?.list(`services.${name}.volumes`) ?? [];
      expect(mount?.value).toBe(`${name}:${flagsOf(command).get('data-dir')}`);
      expect(compose?.at(`volumes.${name}`).value).toEqual({});
    }
    for (const { name, command } of servers) {
      const [secret] = compose?.list(`services.${name}.secrets`) ?? [];
      expect(flagsOf(command).get('token-file')).toBe(`/run/secrets/${secret?.value}`);
      expect(compose?.text(`secrets.${secret?.value}.file`)).toBe('./token');
    }
  });

  it('shows each server at a port of its own', () => {
    const ports = servers.flatMap(({ name }) => compose?.list(`services.${name}.ports`) ?? []);
    expect(ports.map(({ value }) => value)).toEqual(['8081:8080', '8082:8080', '8083:8080']);
  });
});

describe('the units with etcd', () => {
  it('set an etcd as the compose file does', () => {
    const same = (flags: ReadonlyMap<string, string>) =>
      ['pre-vote', 'auto-compaction-mode', 'auto-compaction-retention', 'quota-backend-bytes'].map((name) =>
        flags.get(name),
      );
    expect(same(unitFlags)).toEqual(same(flagsOf(etcds[0]?.command ?? [])));
    expect(same(unitFlags)).not.toContain(undefined);
  });

  it('name members by instance, and find each other and the servers them where they listen', () => {
    const members = variablesOf('etcd/etcd.env').get('MEMBERS')?.split(',') ?? [];
    const hosts = members.map((member) => /^[1-3]=http:\/\/([\d.]+):2380$/.exec(member)?.[1]);
    expect(hosts).toHaveLength(3);
    expect(hosts).toContain(variablesOf('etcd/etcd.env').get('MEMBER_HOST'));
    const text = variablesOf('etcd/lock.env').get('LOCK_BACKEND') ?? '';
    const { endpoints } = readEtcdUrl({ from: 'LOCK_BACKEND', text });
    expect(endpoints).toEqual(hosts.map((host) => `${host}:2379`));
  });
});

describeWith(['etcd'], 'etcd', () => {
  it('has every flag with which these files start it', () => {
    const known = etcdFlags();
    const used = new Set([
      ...etcds.flatMap(({ command }) => [...flagsOf(command).keys()]),
      ...unitFlags.keys(),
    ]);
    expect(used.size).toBeGreaterThan(10);
    expect([...used].filter((name) => !known.has(name))).toEqual([]);
  });
});
