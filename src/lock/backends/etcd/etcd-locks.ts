import { randomBytes } from 'node:crypto';
import { abortable } from '../../../core/abort.ts';
import type { Digest } from '../../../core/digest.ts';
import { type NodeId, type SessionId, toSessionId } from '../../../core/ids.ts';
import type { ClusterFigures } from '../../cluster-figures.ts';
import type {
  AcquireReply,
  AcquireRequest,
  DeclineRequest,
  Heartbeat,
  ListQuery,
  OpenSession,
  OperationType,
  ReleaseReply,
  ReleaseRequest,
  ResourceEvent,
  ResourceRequest,
  SessionEvent,
  SessionInfo,
  SessionSnapshot,
  SourceReply,
  SourceRequest,
  StatusReply,
} from '../../locks.ts';
import type { NodeView } from '../../nodes.ts';
import { countLocks, type LockCounts, listResources } from '../../read-model.ts';
import type { LockService } from '../engine/engine.ts';
import { full, known } from '../engine/refusals.ts';
import { inPortions } from './heartbeats.ts';
import type { Life } from './life.ts';
import { type Lives, type LivesOptions, startLives } from './lives.ts';
import type { ClusterCommand } from './replica/cluster.ts';
import { lookRenew, lookStatus, weigh } from './replica/materiality.ts';
import type { ReplyOf } from './requests.ts';
import { listenToResource, listenToSession } from './streams.ts';

export interface EtcdLocksOptions extends LivesOptions {}

type CommandFor<Kind extends ClusterCommand['kind']> = Extract<ClusterCommand, { kind: Kind }>;

/**
 * The lock service of one server among several, whose state is in etcd. Each has a copy of the machine, and all do the
 * same in the order that etcd gives: who asks is answered once its request has its place in that order.
 *
 * @throws LayerpullError `etcd_unreachable`, `etcd_denied`, `etcd_failed`; `cluster_mismatch` where other servers run
 * with other rules or other options; `usage` for options that contradict each other
 */
export async function createEtcdLocks(options: EtcdLocksOptions): Promise<EtcdLocks> {
  return new EtcdLocks(await startLives(options));
}

export class EtcdLocks implements LockService {
  readonly #lives: Lives;

  constructor(lives: Lives) {
    this.#lives = lives;
  }

  /** Why it answers no requests right now; undefined while it does. */
  trouble(): string | undefined {
    return this.#lives.trouble();
  }

  sessionCount(): number {
    return this.#lives.latest().copy.cluster.machine.sessions.size;
  }

  counts(): LockCounts {
    return countLocks(this.#lives.latest().copy.cluster.machine);
  }

  clusterFigures(): ClusterFigures {
    const life = this.#lives.latest();
    return { seats: life.copy.cluster.seats.size, ...life.figures() };
  }

  nodeGone(nodeId: NodeId): void {
    this.#lives.latest().tell({ kind: 'node-gone', nodeId });
  }

  async openSession(request: OpenSession, signal?: AbortSignal): Promise<SessionInfo> {
    signal?.throwIfAborted();
    const isReturning = request.sessionId !== undefined;
    const sessionId = request.sessionId ?? toSessionId(randomBytes(16).toString('hex'));
    this.#refuseWhereFull(sessionId);
    return await this.#submit(
      { kind: 'open-session', request: { ...request, sessionId }, isReturning },
      signal,
    );
  }

  async closeSession(sessionId: SessionId, signal?: AbortSignal): Promise<void> {
    await this.#submit({ kind: 'close-session', sessionId }, signal);
  }

  async renew(sessionId: SessionId, heartbeat: Heartbeat, signal?: AbortSignal): Promise<SessionSnapshot> {
    signal?.throwIfAborted();
    const life = this.#lives.current();
    const command = { kind: 'renew', sessionId, heartbeat } as const;
    const weight = this.#weigh(life, command);
    if (weight === 'write') return await this.#writeRenewal(sessionId, heartbeat, signal);
    const nowMs = life.copy.time.now();
    life.copy.hearing.heard(sessionId, life.clock.now());
    life.copy.nodes.heard(sessionId, heartbeat.draining, nowMs);
    // What it tells of copies is known.
    const { announce: _, ...progress } = heartbeat;
    if (weight === 'soon') life.submitSoon({ ...command, heartbeat: progress });
    return known(lookRenew(life.copy.cluster, command, nowMs)).snapshot;
  }

  async #writeRenewal(
    sessionId: SessionId,
    heartbeat: Heartbeat,
    signal: AbortSignal | undefined,
  ): Promise<SessionSnapshot> {
    const renewals = inPortions(heartbeat).map((portion) =>
      this.#submit({ kind: 'renew', sessionId, heartbeat: portion }, signal),
    );
    const replies = await Promise.all(renewals);
    return known(replies.at(-1) ?? { kind: 'unknown-session' }).snapshot;
  }

  async sources(request: SourceRequest, signal?: AbortSignal): Promise<SourceReply> {
    return known(await this.#submit({ kind: 'sources', request }, signal));
  }

  async acquire(request: AcquireRequest, signal?: AbortSignal): Promise<AcquireReply> {
    for (;;) {
      const life = this.#lives.current();
      const reply = known(await this.#submit({ kind: 'acquire', request }, signal));
      if (reply.kind !== 'recovering') return reply;
      await (signal ? abortable(life.recovered, signal) : life.recovered);
    }
  }

  async release(request: ReleaseRequest, signal?: AbortSignal): Promise<ReleaseReply> {
    return known(await this.#submit({ kind: 'release', request }, signal));
  }

  async decline(request: DeclineRequest, signal?: AbortSignal): Promise<ReleaseReply> {
    return known(await this.#submit({ kind: 'decline', request }, signal));
  }

  async status(request: ResourceRequest, signal?: AbortSignal): Promise<StatusReply> {
    signal?.throwIfAborted();
    const life = this.#lives.current();
    const command = { kind: 'status', request } as const;
    if (this.#weigh(life, command) !== 'local') return known(await this.#submit(command, signal)).status;
    return known(lookStatus(life.copy.cluster, command, life.copy.time.now())).status;
  }

  async list(query: ListQuery, signal?: AbortSignal) {
    signal?.throwIfAborted();
    const life = this.#lives.current();
    return listResources(life.copy.cluster.machine, query, life.copy.time.now());
  }

  async nodes(signal?: AbortSignal): Promise<readonly NodeView[]> {
    signal?.throwIfAborted();
    return this.#lives.current().copy.listNodes();
  }

  watch(sessionId: SessionId, signal: AbortSignal): AsyncGenerator<SessionEvent, void, undefined> {
    return listenToSession(() => this.#lives.current(), sessionId, signal);
  }

  watchResource(
    type: OperationType,
    resourceId: Digest,
    signal: AbortSignal,
  ): AsyncGenerator<ResourceEvent, void, undefined> {
    return listenToResource(() => this.#lives.current(), type, resourceId, signal);
  }

  async close(): Promise<void> {
    await this.#lives.close();
  }

  /** What a server that may have fallen behind would say itself is asked of all. */
  #weigh(life: Life, command: CommandFor<'renew' | 'status'>): ReturnType<typeof weigh> {
    if (!life.copy.isCurrent() || life.trouble() !== undefined) return 'write';
    return weigh(life.copy.cluster, life.seat, command, life.copy.time.now());
  }

  async #submit<Kind extends ClusterCommand['kind']>(
    command: CommandFor<Kind>,
    signal?: AbortSignal,
  ): Promise<ReplyOf<Kind>> {
    signal?.throwIfAborted();
    const answer = this.#lives.current().submit(command);
    return (await (signal ? abortable(answer, signal) : answer)) as ReplyOf<Kind>;
  }

  /** A limit of the service and no answer of its rules: who comes later may find room. */
  #refuseWhereFull(sessionId: SessionId): void {
    const { sessions, options } = this.#lives.current().copy.cluster.machine;
    if (sessions.size < options.maxSessions || sessions.has(sessionId)) return;
    throw full(options.maxSessions);
  }
}
