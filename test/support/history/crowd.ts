import { randomUUID } from 'node:crypto';
import { systemClock } from '../../../src/core/clock.ts';
import type { Digest } from '../../../src/core/digest.ts';
import { toNodeId, toSessionId } from '../../../src/core/ids.ts';
import { createHttpLocks } from '../../../src/lock/backends/http/http-locks.ts';
import { Actor } from './actor.ts';
import type { Random } from './choices.ts';
import { type Faults, type FaultyProxy, startFaultyProxy } from './faulty-proxy.ts';
import { identityOf, RecordedClient } from './recorded-client.ts';
import type { Recorder } from './recorder.ts';
import type { TestedServer } from './tested-server.ts';

/** What a place in the crowd is for: one client after the other has it. */
export interface Role {
  readonly name: string;
  readonly hasSession: boolean;
  /** Absent: the domain `default`. */
  readonly storeId?: string;
}

export interface CrowdOptions {
  /** All of one service. */
  readonly servers: readonly TestedServer[];
  readonly recorder: Recorder;
  readonly random: Random;
  readonly faults: () => Faults;
  /** Hears of each piece of a reply that reached its client. */
  readonly onReply: () => void;
  readonly pick: (domain: string) => Digest | undefined;
  readonly tokens: Map<Digest, number>;
  readonly heartbeatMs: number;
}

/** A client with a faulty way to the server of its own. */
export interface Connected {
  readonly client: RecordedClient;
  cut(): void;
  close(): Promise<void>;
}

/** No client repeats a request by itself: each repetition is an operation of its own. It outlasts a recovery. */
const timeouts = { requestMs: 1_500, heartbeatMs: 800, retries: 0 };

/** The clients of a round. */
export class Crowd {
  readonly #options: CrowdOptions;
  readonly #connected = new Set<Connected>();
  #joined = 0;

  constructor(options: CrowdOptions) {
    this.#options = options;
  }

  cutAll(): void {
    for (const one of this.#connected) one.cut();
  }

  /** Clients in this role, one after the other, until the signal aborts; some vanish, the last mostly says goodbye. */
  async play(role: Role, signal: AbortSignal, goodbye: Promise<void>): Promise<void> {
    const { random } = this.#options;
    for (;;) {
      const connected = await this.connect(role);
      try {
        const actor = this.#actor(role, connected.client);
        const life = new AbortController();
        const lifeMs = 500 + random() * 5_000;
        systemClock.sleep(lifeMs, AbortSignal.any([signal, life.signal])).then(
          () => life.abort(),
          () => {},
        );
        await actor.run(AbortSignal.any([signal, life.signal])).finally(() => life.abort());
        if (!signal.aborted && this.#options.pick(domainOf(role))) continue;
        await goodbye;
        if (random() < 0.7) await actor.leave();
        return;
      } finally {
        await connected.close();
      }
    }
  }

  async connect(role: Role): Promise<Connected> {
    this.#joined += 1;
    const { servers, recorder, random, faults } = this.#options;
    const route = new Route(servers, random);
    const nodeId = toNodeId(`${role.name}-${this.#joined}`);
    const session = role.hasSession ? { sessionId: toSessionId(randomUUID()) } : {};
    const store = role.storeId === undefined ? {} : { storeId: role.storeId };
    const name = { nodeId, ...session, ...store };
    const onCut = (isStream: boolean) => {
      route.leave();
      if (isStream || !role.hasSession) recorder.cut(identityOf(name));
    };
    const onReply = (piece: Buffer) => {
      this.#options.onReply();
      // Whom its server sends away goes to another one, with all its connections.
      if (isUnavailable(piece)) setImmediate(() => proxy.cut());
    };
    const target = () => route.port();
    const proxy: FaultyProxy = await startFaultyProxy({ target, faults, random, onCut, onReply });
    const locks = createHttpLocks({ servers: [proxy.url], version: 'test', clock: systemClock, timeouts });
    const connected: Connected = {
      client: new RecordedClient(name, locks, recorder),
      cut: () => proxy.cut(),
      close: async () => {
        this.#connected.delete(connected);
        await proxy.close();
        await locks.close();
      },
    };
    this.#connected.add(connected);
    return connected;
  }

  #actor(role: Role, client: RecordedClient): Actor {
    const { servers, random, tokens, heartbeatMs, pick } = this.#options;
    return new Actor({
      ...{ client, hasSession: role.hasSession, random, tokens, heartbeatMs },
      pick: () => pick(domainOf(role)),
      ready: () => Promise.race(servers.map((server) => server.ready())),
    });
  }
}

/** Of one client: to one of the servers, until a connection ends. */
class Route {
  readonly #servers: readonly TestedServer[];
  readonly #random: Random;
  #index = 0;

  constructor(servers: readonly TestedServer[], random: Random) {
    this.#servers = servers;
    this.#random = random;
    this.leave();
  }

  port(): number {
    return this.#servers[this.#index]?.port ?? 0;
  }

  /** Chance may lead to the same one again. */
  leave(): void {
    const { length } = this.#servers;
    if (length > 1) this.#index = Math.floor(this.#random() * length);
  }
}

function isUnavailable(piece: Buffer): boolean {
  return piece.subarray(0, 13).toString('latin1').endsWith(' 503 ');
}

export function domainOf({ storeId }: Role): string {
  return storeId ?? 'default';
}
