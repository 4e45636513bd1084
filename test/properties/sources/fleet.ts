import { digestOf } from '../../../src/core/digest.ts';
import { type SessionId, type Token, toNodeId, toSessionId, toStoreId } from '../../../src/core/ids.ts';
import type { Source } from '../../../src/lock/locks.ts';
import type { Command, CommandOf, Replies } from '../../../src/lock/machine/commands.ts';
import type { MachineState } from '../../../src/lock/machine/state.ts';
import { bareMachine, type Stepper } from '../machine/stepper.ts';

export const layer = digestOf(Buffer.from('one layer'));
export const total = 1_000;
/** Time goes in steps of this many milliseconds. */
export const stepMs = 250;
/** A source that brings nothing for this long is complained of. */
const silenceMs = 5_000;

export interface NodeSetup {
  readonly serves: boolean;
  /** Events reach it: it has a stream, and does not only poll. */
  readonly hears: boolean;
  readonly zone: number;
  /** Bytes that it reads from another node in one step, at most. */
  readonly rate: number;
}

/** One node: what it has, and what it believes. */
export interface Node {
  readonly name: string;
  readonly sessionId: SessionId;
  readonly setup: NodeSetup;
  life: 'new' | 'pulling' | 'done' | 'frozen' | 'dead';
  /** Before it was frozen. */
  before: 'new' | 'pulling' | 'done';
  offset: number;
  token: Token | undefined;
  source: Source;
  /** When bytes came last, or where to read changed. */
  lastByteMs: number;
  waitUntilMs: number;
  beatMs: number;
  toldOffset: number;
  /** How often it was sent elsewhere without asking. */
  moves: number;
}

const registry: Source = { kind: 'registry' };

/** A fleet with bytes that flow from the registry and from node to node, all of them told by one machine. */
export class SimulatedFleet {
  readonly state: MachineState;
  readonly nodes: readonly Node[];
  nowMs = 0;
  /** Bytes that the registry was asked for. */
  asked = 0;
  complaints = 0;
  /** Pairs of nodes of which the second cannot reach the first. */
  readonly #blocked: ReadonlySet<string>;

  readonly #stepper: Stepper;

  constructor(
    setups: readonly NodeSetup[],
    blocked: readonly (readonly [number, number])[] = [],
    stepper: Stepper = bareMachine(0),
  ) {
    this.#stepper = stepper;
    this.state = stepper.state;
    this.#blocked = new Set(blocked.map(([from, to]) => `n${from} n${to}`));
    this.nodes = setups.map((setup, index) => ({
      ...{ name: `n${index}`, sessionId: toSessionId(`s${index}`), setup, life: 'new', before: 'new' },
      ...{ offset: 0, token: undefined, source: registry, lastByteMs: 0, waitUntilMs: 0 },
      ...{ beatMs: 0, toldOffset: 0, moves: 0 },
    }));
    for (const node of this.nodes) this.#open(node);
  }

  start(node: Node): void {
    if (node.life !== 'new') return;
    node.life = 'pulling';
    this.#acquire(node);
  }

  kill(node: Node): void {
    if (node.life === 'dead') return;
    node.life = 'dead';
    this.#run({ kind: 'stream-closed', sessionId: node.sessionId });
  }

  freeze(node: Node): void {
    if (node.life === 'dead' || node.life === 'frozen') return;
    node.before = node.life;
    node.life = 'frozen';
  }

  thaw(node: Node): void {
    if (node.life !== 'frozen') return;
    node.life = node.before;
    node.lastByteMs = this.nowMs;
    this.#beat(node);
  }

  /** It gives up, and goes. */
  close(node: Node): void {
    if (node.life === 'dead' || node.life === 'frozen') return;
    node.life = 'dead';
    this.#run({ kind: 'close-session', sessionId: node.sessionId });
  }

  drain(node: Node): void {
    if (node.life === 'dead' || node.life === 'frozen') return;
    this.#run({ kind: 'renew', sessionId: node.sessionId, heartbeat: { held: [], draining: true } });
  }

  /** A quarter of a second in which the registry gives so many bytes to all its readers together. */
  pass(bytes: number): void {
    this.nowMs += stepMs;
    this.#run({ kind: 'tick' });
    const readers = this.nodes.filter(({ life, source }) => life === 'pulling' && source.kind === 'registry');
    for (const node of this.nodes) if (node.life === 'pulling') this.#read(node, bytes / readers.length);
    for (const node of this.nodes) if (isAlive(node)) this.#beatInTime(node);
    for (const node of this.nodes) if (node.life === 'pulling') this.#askIfSilent(node);
    for (const node of this.nodes) if (node.life === 'pulling' && node.offset >= total) this.#finish(node);
  }

  #read(node: Node, fromRegistry: number): void {
    const available = node.source.kind === 'registry' ? node.offset + fromRegistry : this.#offered(node);
    const reached = Math.min(total, Math.max(node.offset, available));
    if (reached > node.offset) node.lastByteMs = this.nowMs;
    if (node.source.kind === 'registry') this.asked += reached - node.offset;
    node.offset = reached;
  }

  #offered(node: Node): number {
    const peer = this.#peerOf(node);
    const isServed = peer && isAlive(peer) && this.#reaches(peer, node);
    return isServed ? Math.min(peer.offset, node.offset + node.setup.rate) : 0;
  }

  #peerOf({ source }: Node): Node | undefined {
    return source.kind === 'peer'
      ? this.nodes.find(({ sessionId }) => sessionId === source.sessionId)
      : undefined;
  }

  #reaches(from: Node, to: Node): boolean {
    return !this.#blocked.has(`${from.name} ${to.name}`);
  }

  /** Once a second while bytes flow, else with the heartbeats of the session. */
  #beatInTime(node: Node): void {
    const everyMs = node.offset > node.toldOffset ? 1_000 : 5_000;
    if (this.nowMs - node.beatMs >= everyMs) this.#beat(node);
  }

  #beat(node: Node): void {
    node.beatMs = this.nowMs;
    node.toldOffset = node.offset;
    const { token, offset, sessionId } = node;
    const isHeld = node.life === 'pulling' && token !== undefined;
    const held = isHeld ? [{ type: 'pull' as const, resourceId: layer, token, offset, total }] : [];
    const add = node.life === 'done' ? [layer] : [];
    const heartbeat = { held, announce: { add, remove: [] } };
    const reply = this.#run({ kind: 'renew', sessionId, heartbeat });
    if (reply.kind !== 'unknown-session') return;
    this.#open(node);
    if (node.life === 'pulling') this.#acquire(node);
  }

  #askIfSilent(node: Node): void {
    const peer = this.#peerOf(node);
    if (!peer || this.nowMs < node.waitUntilMs || node.token === undefined) return;
    const isGone = peer.life === 'dead' && this.nowMs > node.lastByteMs;
    if (!isGone && this.nowMs - node.lastByteMs < silenceMs) return;
    this.complaints += 1;
    const { sessionId, token, offset } = node;
    const bad = { sessionId: peer.sessionId, reason: 'nothing came' };
    const reply = this.#run({
      kind: 'sources',
      request: { sessionId, resourceId: layer, token, offset, bad },
    });
    if (reply.kind === 'wait') node.waitUntilMs = this.nowMs + reply.retryMs;
    if (reply.kind === 'source') this.#goTo(node, reply.source);
    if (reply.kind === 'unknown-session') this.#beat(node);
  }

  #goTo(node: Node, source: Source): void {
    node.source = source;
    node.lastByteMs = this.nowMs;
    node.waitUntilMs = 0;
  }

  #open({ name, sessionId, setup }: Node): void {
    const request = {
      ...{ sessionId, nodeId: toNodeId(name), storeId: toStoreId(name), zone: `zone ${setup.zone}` },
      ...(setup.serves ? { url: `http://${name}` } : {}),
    };
    this.#run({ kind: 'open-session', request, isReturning: false });
    this.#run({ kind: 'stream-opened', sessionId });
  }

  #acquire(node: Node): void {
    const { name, sessionId } = node;
    const request = { type: 'pull' as const, resourceId: layer, nodeId: toNodeId(name), sessionId };
    const reply = this.#run({ kind: 'acquire', request });
    if (reply.kind !== 'granted') throw new Error(`${name} did not get the lock of its own store`);
    node.token = reply.token;
    this.#goTo(node, reply.source);
  }

  #finish(node: Node): void {
    const { name, sessionId, token } = node;
    node.life = 'done';
    if (token === undefined) return;
    const request = { type: 'pull' as const, resourceId: layer, nodeId: toNodeId(name), sessionId, token };
    this.#run({ kind: 'release', request: { ...request, outcome: { success: true } } });
    node.token = undefined;
  }

  #run<Kind extends Command['kind']>(command: CommandOf<Kind>): Replies[Kind] {
    const { reply, events } = this.#stepper.step<Kind>(command, this.nowMs);
    for (const event of events) {
      if (event.kind !== 'session') continue;
      const node = this.nodes.find(({ sessionId }) => sessionId === event.sessionId);
      // One that is frozen finds them on its stream when it goes on.
      if (!node?.setup.hears || node.life === 'dead') continue;
      if (event.event.kind === 'revoked') node.token = undefined;
      if (event.event.kind !== 'source') continue;
      node.moves += 1;
      this.#goTo(node, event.event.source);
    }
    return reply;
  }
}

export function isAlive({ life }: Node): boolean {
  return life !== 'dead' && life !== 'frozen';
}
