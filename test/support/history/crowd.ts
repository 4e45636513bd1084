import { randomUUID } from 'node:crypto';
import { systemClock } from '../../../src/core/clock.ts';
import type { Digest } from '../../../src/core/digest.ts';
import { toNodeId, toSessionId } from '../../../src/core/ids.ts';
import { createHttpLocks } from '../../../src/lock/backends/http/http-locks.ts';
import { Actor } from './actor.ts';
import type { Random } from './choices.ts';
import { type Faults, startFaultyProxy } from './faulty-proxy.ts';
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
  readonly server: TestedServer;
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
    const { server, recorder, random, faults, onReply } = this.#options;
    const nodeId = toNodeId(`${role.name}-${this.#joined}`);
    const session = role.hasSession ? { sessionId: toSessionId(randomUUID()) } : {};
    const store = role.storeId === undefined ? {} : { storeId: role.storeId };
    const name = { nodeId, ...session, ...store };
    const onCut = (isStream: boolean) => {
      if (isStream || !role.hasSession) recorder.cut(identityOf(name));
    };
    const proxy = await startFaultyProxy({ target: () => server.port, faults, random, onCut, onReply });
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
    const { server, random, tokens, heartbeatMs, pick } = this.#options;
    return new Actor({
      ...{ client, hasSession: role.hasSession, random, tokens, heartbeatMs },
      pick: () => pick(domainOf(role)),
      ready: () => server.ready(),
    });
  }
}

export function domainOf({ storeId }: Role): string {
  return storeId ?? 'default';
}
