import type { Digest } from '../../../src/core/digest.ts';
import { type Token, toToken } from '../../../src/core/ids.ts';
import type {
  Announcement,
  FailureClass,
  HeldProgress,
  Source,
  SourceRequest,
} from '../../../src/lock/locks.ts';
import type { MachineOptions } from '../../../src/lock/machine/options.ts';
import { createRig, layer, type OpenOptions, type Rig, sessionOf } from './support.ts';

/** Nodes with a store each, of which most serve what they have; sources are called by the name of their node. */
export interface Fleet {
  readonly rig: Rig;
  /** They come in this order, each with a url and a store of its own unless it says otherwise. */
  join(...nodes: readonly string[]): void;
  joinAs(node: string, options: OpenOptions): void;
  /** Asks for a pull, and answers where to read. */
  pull(node: string, digest?: Digest, force?: boolean): string;
  /** Where the node reads, as it was told last. */
  source(node: string, digest?: Digest): string;
  /** The whole tree of `layer`, as the nodes were told. */
  tree(): Record<string, string>;
  /** A heartbeat that says how far the node is with all it holds. */
  at(node: string, offset: number): void;
  say(node: string, news: { announce?: Partial<Announcement>; draining?: boolean }): void;
  /** Where to read on; `wait` for later. The node complains of the source that it names. */
  ask(node: string, offset: number, bad?: string): string;
  /** It begins again, for the so-and-so-many-th time because of what others handed on; all bytes of `liar` were wrong. */
  again(node: string, why: { readonly restarts?: number; readonly liar?: string }): string;
  done(node: string, digest?: Digest): void;
  fail(node: string, kind?: FailureClass): void;
  /** A pull of `layer` from before a restart, of which the node says that it goes on. */
  bringBack(node: string, token: number): void;
  /** Its stream was there and broke. */
  cut(node: string): void;
  /** Time passes while these are heard of, each as far as it was. */
  pass(ms: number, alive: readonly string[]): void;
  /** How often the node was told of a source without asking. */
  moves(node: string): number;
}

export const total = 1_000;

interface Held {
  readonly token: Token;
  source: string;
  offset: number;
}

export function createFleet(options: Partial<MachineOptions> = {}): Fleet {
  const rig = createRig(options);
  const held = new Map<string, Map<Digest, Held>>();
  const heldBy = (node: string) => {
    const own = held.get(node) ?? new Map<Digest, Held>();
    held.set(node, own);
    return own;
  };
  let heard = 0;
  /** What came since: nodes hear events at once. */
  const hear = () => {
    for (const event of rig.events.slice(heard)) {
      if (event.kind !== 'session') continue;
      const node = String(event.sessionId).replace('session-', '');
      const news = event.event;
      if (news.kind === 'revoked') heldBy(node).delete(news.resourceId);
      const one = news.kind === 'source' ? heldBy(node).get(news.resourceId) : undefined;
      if (one && news.kind === 'source') one.source = nameOf(news.source);
    }
    heard = rig.events.length;
  };
  const beat = (node: string, news: { announce?: Announcement; draining?: boolean } = {}) => {
    const list: HeldProgress[] = [...heldBy(node)].map(([resourceId, { token, offset }]) => ({
      ...{ type: 'pull' as const, resourceId, token, offset, total },
    }));
    rig.run({ kind: 'renew', sessionId: sessionOf(node), heartbeat: { held: list, ...news } });
    hear();
  };
  const holdOf = (node: string, digest: Digest): Held => {
    const one = heldBy(node).get(digest);
    if (!one) throw new Error(`${node} holds nothing`);
    return one;
  };

  const send = (node: string, offset: number, more: Partial<SourceRequest>) => {
    const one = holdOf(node, layer);
    one.offset = offset;
    const own = { sessionId: sessionOf(node), resourceId: layer, token: one.token, offset };
    const reply = rig.run({ kind: 'sources', request: { ...own, ...more } });
    hear();
    if (reply.kind === 'source') one.source = nameOf(reply.source);
    return reply.kind === 'source' ? one.source : reply.kind;
  };

  const fleet: Fleet = {
    rig,
    join(...nodes) {
      for (const node of nodes) fleet.joinAs(node, {});
    },
    joinAs(node, given) {
      rig.open(node, { store: node, url: `http://${node}`, ...given });
      hear();
    },
    pull(node, digest = layer, force = false) {
      const reply = rig.acquire(node, { resourceId: digest, force });
      if (reply.kind !== 'granted') return reply.kind;
      heldBy(node).set(digest, { token: reply.token, source: nameOf(reply.source), offset: 0 });
      hear();
      return fleet.source(node, digest);
    },
    source: (node, digest = layer) => holdOf(node, digest).source,
    tree() {
      const all = [...held].flatMap(([node, own]) =>
        [...own].map(([digest, one]) => ({ node, digest, one })),
      );
      return Object.fromEntries(
        all.filter(({ digest }) => digest === layer).map(({ node, one }) => [node, one.source]),
      );
    },
    at(node, offset) {
      for (const one of heldBy(node).values()) one.offset = offset;
      beat(node);
    },
    say(node, { announce, ...news }) {
      beat(node, { ...news, ...(announce ? { announce: { add: [], remove: [], ...announce } } : {}) });
    },
    ask: (node, offset, bad) =>
      send(
        node,
        offset,
        bad === undefined ? {} : { bad: { sessionId: sessionOf(bad), reason: 'silent for 5 s' } },
      ),
    again: (node, { restarts, liar }) =>
      send(node, 0, {
        ...(restarts === undefined ? {} : { restarts }),
        ...(liar === undefined
          ? {}
          : { bad: { sessionId: sessionOf(liar), reason: 'sends wrong content', wrongBytes: true } }),
      }),
    done(node, digest = layer) {
      heldBy(node).delete(digest);
      rig.release(node, true, { resourceId: digest });
      hear();
    },
    fail(node, kind = 'node') {
      heldBy(node).delete(layer);
      rig.run({
        kind: 'release',
        request: {
          ...{ type: 'pull', resourceId: layer, sessionId: sessionOf(node) },
          nodeId: rig.state.sessions.get(sessionOf(node))?.nodeId ?? never(node),
          outcome: { success: false, error: 'no room', class: kind },
        },
      });
      hear();
    },
    bringBack(node, token) {
      heldBy(node).set(layer, { token: toToken(token), source: 'unknown', offset: 0 });
      beat(node);
    },
    cut(node) {
      for (const kind of ['stream-opened', 'stream-closed'] as const) {
        rig.run({ kind, sessionId: sessionOf(node) });
      }
    },
    pass(ms, alive) {
      for (let left = ms; left > 0; left -= 1_000) {
        rig.pass(Math.min(left, 1_000));
        for (const node of alive) if (rig.state.sessions.has(sessionOf(node))) beat(node);
      }
      hear();
    },
    moves: (node) => rig.told(node).filter(({ kind }) => kind === 'source').length,
  };
  return fleet;
}

function nameOf(source: Source): string {
  return source.kind === 'registry' ? 'registry' : source.nodeId;
}

function never(node: string): never {
  throw new Error(`${node} is not there`);
}
