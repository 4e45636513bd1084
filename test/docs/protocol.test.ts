import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { systemClock as clock } from '../../src/core/clock.ts';
import { silentLog as log } from '../../src/core/log.ts';
import type { SessionEvent } from '../../src/lock/locks.ts';
import * as requests from '../../src/lock/protocol/requests.ts';
import { sourceRequestSchema } from '../../src/lock/protocol/sources.ts';
import { createApp } from '../../src/lock/server/app.ts';
import { createConnections } from '../../src/lock/server/connections.ts';
import { defaultLimits as limits } from '../../src/lock/server/limits.ts';
import { createMetrics } from '../../src/lock/server/metrics.ts';
import { createOpenStreams } from '../../src/lock/server/open-streams.ts';
import { fakeLocks } from '../lock/server/support.ts';
import { inRoot } from '../support/root.ts';

const text = readFileSync(inRoot('docs', 'protocol.md'), 'utf8');
const sections = new Map(
  text
    .split(/^##+ /m)
    .slice(1)
    .map((section) => [section.slice(0, section.indexOf('\n')), section]),
);

/** As in `GET /lock/status`. */
async function routesOfServer(): Promise<string[]> {
  const streams = createOpenStreams(limits.maxStreams, clock);
  const connections = createConnections({ clock, log, limits, onNodeGone: () => {} });
  const metrics = createMetrics('0.0.0');
  const app = createApp({ locks: fakeLocks({}), log, streams, connections, metrics });
  await app.ready();
  const routes = routesIn(app.printRoutes({ commonPrefix: false }));
  await app.close();
  return routes;
}

/** A tree of paths, each level indented by four characters: `│   └── /:id (PUT, DELETE)`. */
function routesIn(tree: string): string[] {
  const parts: string[] = [];
  return [...tree.matchAll(/^(.*)── (\S+)(?: \((.+)\))?$/gm)].flatMap(
    ([, indent = '', part = '', methods]) => {
      parts.splice(indent.length / 4, Number.POSITIVE_INFINITY, part);
      const path = parts.join('').replace(':id', 'ID');
      return methods?.split(', ').map((method) => `${method} ${path}`) ?? [];
    },
  );
}

/** Names at the beginning of the rows of the first table. */
function fieldsIn(section: string): string[] {
  const [table = ''] = /(?:^\|.*\n)+/m.exec(section) ?? [];
  const firstCells = [...table.matchAll(/^\| ([^|]*) \|/gm)].map(([, cell = '']) => cell);
  return firstCells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name = '']) => name));
}

const fields = {
  'POST /lock': requests.acquireSchema.pipe[0].entries,
  'POST /unlock': requests.unlockSchema.pipe[0].entries,
  'GET /locks': requests.listSchema.pipe[0].entries,
  'POST /sessions': requests.openSessionSchema.pipe[0].entries,
  'PUT /sessions/ID': requests.heartbeatSchema.pipe[0].entries,
  'POST /sources': sourceRequestSchema.pipe[0].entries,
};

describe('docs/protocol.md', () => {
  it('has a section for each request that the server takes, and no other', async () => {
    const documented = [...sections.keys()].filter((title) => /^[A-Z]+ \//.test(title));
    const withoutQuery = documented.map((title) => title.replace(/\?.*$/, ''));
    expect([...new Set(withoutQuery)].sort()).toEqual((await routesOfServer()).sort());
  });

  it.each(Object.entries(fields))('lists every field of %s', (title, entries) => {
    expect(fieldsIn(sections.get(title) ?? '').sort()).toEqual(Object.keys(entries).sort());
  });

  it('names every field of a status request', () => {
    for (const name of Object.keys(requests.statusSchema.pipe[0].entries)) {
      expect(sections.get('GET /lock/status')).toContain(`\`${name}\``);
    }
  });

  it('lists every event of a session', () => {
    const kinds: Record<SessionEvent['kind'], true> = {
      ...{ snapshot: true, granted: true, queued: true, completed: true },
      ...{ failed: true, revoked: true, source: true, ping: true },
    };
    const documented = fieldsIn(sections.get('GET /lock/subscribe?session=ID') ?? '');
    expect(documented.sort()).toEqual([...Object.keys(kinds), 'closed'].sort());
  });

  it('tells the limits that the server has', () => {
    const section = sections.get('Limits') ?? '';
    const told = [
      ...[limits.maxConnections, limits.maxStreams].map((count) => count.toLocaleString('en-US')),
      ...[limits.headersTimeoutMs, limits.requestTimeoutMs, limits.stallMs].map((ms) => `${ms / 1_000} s`),
    ];
    const values = [...section.matchAll(/^\| [^|]+ \| (\S+(?: s\b)?)/gm)].map(([, value]) => value);
    expect(values).toEqual(expect.arrayContaining(told));
  });
});
