import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { readContentPluginConfig } from '../../src/config/content-plugin.ts';
import { importMarkerPath } from '../../src/containerd/existing-root.ts';
import { ownContentPath } from '../../src/containerd/own-content.ts';
import { machine, on } from '../support/config.ts';
import { readDeployFile } from '../support/deploy-files.ts';
import { inRoot } from '../support/root.ts';

const text = readFileSync(inRoot('docs', 'containerd.md'), 'utf8');
const { commands } = JSON.parse(readFileSync(inRoot('oclif.manifest.json'), 'utf8'));

/** Flags of every command. */
const elsewhere = new Set(['json', 'quiet', 'log-level', 'log-format', 'config']);

/** The flags that a row of the table names, and what it says is their default. */
const rows = [...text.matchAll(/^\| (`--.*?) \| (.*?) \|/gm)].map(([, names = '', standard = '']) => ({
  names: [...names.matchAll(/--([a-z-]+)/g)].map(([, name = '']) => name),
  standard: standard.replaceAll('`', ''),
}));
const standardOf = (name: string) => rows.find(({ names }) => names.includes(name))?.standard;

const config = readContentPluginConfig({ server: 'lock.example:1' }, on({ superuser: true }));

describe('docs/containerd.md', () => {
  it('explains each flag of the plugin, and no other', () => {
    const own = Object.keys(commands['content-plugin'].flags).filter((name) => !elsewhere.has(name));
    expect(rows.flatMap(({ names }) => names).toSorted()).toEqual(own.toSorted());
  });

  it('says the defaults as they are', () => {
    const { socket, peer, drainMs, containerdRoot, containerdSocket, peers } = config;
    expect(standardOf('socket')).toBe(socket);
    expect(standardOf('peer-addr')).toBe(`${peer?.host}:${peer?.port} with --server, else none`);
    expect(standardOf('drain-timeout')).toBe(`${drainMs / 1_000}s`);
    expect(standardOf('max-transfers')).toBe(`${peers.maxTransfers}`);
    expect([containerdRoot, containerdSocket]).toEqual([undefined, undefined]);
  });

  it('tells older names of the environment that count', () => {
    expect(text).toContain('`CONTENTD_SOCKET` for\n`--socket`');
    const env = { CONTENTD_SOCKET: '/run/old.sock', NODE_ID: 'old', LOCK_SERVER_URL: 'http://old:1' };
    const { socket, node, servers } = readContentPluginConfig({}, on({ env }));
    expect([socket, node, servers.map(String)]).toEqual(['/run/old.sock', 'old', ['http://old:1/']]);
    expect(machine.env).toEqual({});
  });

  it('shows the configuration of containerd that is in the examples', () => {
    const [, block = ''] = /```toml\n(.*?)```/s.exec(text) ?? [];
    expect(parseToml(block)).toEqual(parseToml(readDeployFile('containerd/config.toml')));
    expect(block).toContain(`address = "${config.socket}"`);
  });

  it('links to files that are there', () => {
    const links = [...text.matchAll(/\]\(([^)#]+)[^)]*\)/g)].map(([, file = '']) => file);
    expect(links).toContain('../examples/deploy/systemd/layerpull-content.service');
    expect(links.filter((file) => !existsSync(path.join(inRoot('docs'), file)))).toEqual([]);
  });

  it('starts commands with flags that they have', () => {
    const lines = [...text.matchAll(/^ *layerpull ([a-z-]+)(.*)$/gm)];
    expect(lines.length).toBeGreaterThan(5);
    const wrong = lines.flatMap(([, command = '', rest = '']) =>
      [...rest.matchAll(/--([a-z-]+)/g)]
        .map(([, flag = '']) => flag)
        .filter((flag) => !Object.hasOwn(commands[command]?.flags ?? {}, flag)),
    );
    expect(wrong).toEqual([]);
  });

  it('names the folders and the file of an import as they are', () => {
    const root = '/var/lib/containerd';
    expect(text).toContain(`rm -r ${ownContentPath(root)}`);
    expect(text).toContain(`/blobs ${ownContentPath(root)}/`);
    expect(text).toContain(`\`${path.basename(importMarkerPath(root))}\``);
  });
});
