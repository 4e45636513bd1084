import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readAgentConfig } from '../../src/config/agent.ts';
import { readEtcdUrl } from '../../src/config/etcd-url.ts';
import { readServeConfig } from '../../src/config/serve.ts';
import { errorTable } from '../../src/core/errors.ts';
import { defaultBounds } from '../../src/lock/session-bounds.ts';
import { describeWith } from '../support/components.ts';
import { machine } from '../support/config.ts';
import { etcdFlags } from '../support/etcd-flags.ts';
import { inRoot } from '../support/root.ts';

const text = readFileSync(inRoot('docs', 'high-availability.md'), 'utf8');
const { commands } = JSON.parse(readFileSync(inRoot('oclif.manifest.json'), 'utf8'));
const layerpullFlags = new Set(Object.keys(commands).flatMap((name) => Object.keys(commands[name].flags)));

/** Commands, each on one line. */
const lines = [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)]
  .flatMap(([, block = '']) => block.replaceAll('\\\n', ' ').split('\n'))
  .filter((line) => line !== '');

const flagsIn = (line: string) => [...line.matchAll(/ --([a-z-]+)/g)].map(([, flag = '']) => flag);

/** As links name headings. */
const anchors = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
  heading.toLowerCase().replaceAll(' ', '-'),
);

describe('docs/high-availability.md', () => {
  it('links to files and headings that are there', () => {
    const links = [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, link = '']) => link);
    const here = links.filter((link) => !link.startsWith('https://'));
    expect(here).toContain('../examples/deploy/etcd/compose.yaml');
    const missing = here.filter((link) => {
      const [file = '', anchor] = link.split('#');
      if (file === '') return !anchors.includes(anchor ?? '');
      return !existsSync(path.join(inRoot('docs'), file));
    });
    expect(missing).toEqual([]);
  });

  it('is linked to under headings that it has', () => {
    const pages = ['fleet.md', 'guarantees.md', 'trust.md', 'metrics.md'].map((name) =>
      readFileSync(inRoot('docs', name), 'utf8'),
    );
    const links = pages.flatMap((page) => [...page.matchAll(/\(high-availability\.md(?:#([a-z-]+))?\)/g)]);
    expect(links.length).toBeGreaterThan(5);
    const wrong = links.map(([, anchor]) => anchor).filter((anchor) => anchor && !anchors.includes(anchor));
    expect(wrong).toEqual([]);
  });

  it('starts commands with flags that they have', () => {
    const ours = lines.filter((line) => line.startsWith('layerpull '));
    expect(ours.length).toBeGreaterThan(2);
    const wrong = ours.flatMap((line) => {
      const [, command = ''] = line.split(' ');
      return flagsIn(line).filter((flag) => !Object.hasOwn(commands[command]?.flags ?? {}, flag));
    });
    expect(wrong).toEqual([]);
  });

  it('explains every flag of serve that is about etcd', () => {
    const told = [...text.matchAll(/^\| (`--(?:backend|etcd).*?) \| \S/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/--([a-z-]+)/g)].map(([, flag = '']) => flag),
    );
    const own = Object.keys(commands.serve.flags).filter((flag) => /^(backend|etcd-)/.test(flag));
    expect(told.toSorted()).toEqual(own.toSorted());
  });

  it('says port and prefix as they are', () => {
    const { endpoints, prefix } = readEtcdUrl({ from: '', text: 'etcd://h' });
    const port = endpoints[0]?.split(':')[1];
    expect(text).toContain(
      `the port is ${port} by default. All keys begin with \`PREFIX/\`, by default \`${prefix}/\``,
    );
  });

  it('says exit codes as they are', () => {
    const { etcd_unreachable, etcd_denied, cluster_mismatch, etcd_failed } = errorTable;
    const told =
      /ends with exit code (\d) .*; one that etcd does not let in with (\d); .*\n.* is full, with (\d)/.exec(
        text,
      );
    expect(told?.slice(1).map(Number)).toEqual([
      etcd_unreachable.exitCode,
      etcd_denied.exitCode,
      etcd_failed.exitCode,
    ]);
    expect(cluster_mismatch.exitCode).toBe(etcd_failed.exitCode);
    expect(text).toContain(`exit code ${cluster_mismatch.exitCode}, \`cluster_mismatch\``);
  });

  it('says bounds as they are', () => {
    const { ttlMs } = readServeConfig({}, machine).bounds;
    const flags = { server: 'lock.example:8080', 'registry-addr': '127.0.0.1:5001' };
    const { firstContactMs, outOfReachMs } = readAgentConfig(flags, machine).bounds;
    const seconds = (ms: number) => `${ms / 1_000} s`;
    for (const sentence of [
      `a session TTL of ${seconds(ttlMs)}, and with it a lease of ${seconds((ttlMs * 2) / 3)} for a server`,
      `on a lease of ${seconds((ttlMs * 2) / 3)}: two thirds of the session TTL`,
      `waiters go after ${seconds(outOfReachMs)} (\`--out-of-reach\`), new pulls after ${seconds(firstContactMs)} (\`--first-contact\`)`,
      `until a heartbeat has no answer for ${seconds(defaultBounds.heartbeatTimeoutMs)}`,
    ])
      expect(text).toContain(sentence);
  });
});

describeWith(['etcd'], 'docs/high-availability.md', () => {
  it('names flags that layerpull or etcd has', () => {
    const flagsOfEtcd = etcdFlags();
    const prose = text.replace(/^```[\s\S]*?^```$/gm, '');
    const named = [...prose.matchAll(/`[^`\n]*`/g)].flatMap(([code]) =>
      [...code.matchAll(/--([a-z-]+)/g)].map(([, flag = '']) => flag),
    );
    // Of etcdctl.
    const elsewhere = new Set(['prefix', 'user']);
    const known = (flag: string) => layerpullFlags.has(flag) || flagsOfEtcd.has(flag) || elsewhere.has(flag);
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((flag) => !known(flag))).toEqual([]);
  });
});
