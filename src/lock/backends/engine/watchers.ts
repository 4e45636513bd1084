import type { Digest } from '../../../core/digest.ts';
import type { SessionId } from '../../../core/ids.ts';
import type { OperationType, ResourceEvent, SessionEvent } from '../../locks.ts';
import type { Channel } from './channel.ts';

/** Those who listen, by session or by resource. */
export class Watchers {
  readonly #sessions = new Map<SessionId, Set<Channel<SessionEvent>>>();
  readonly #resources = new Map<string, Set<Channel<ResourceEvent>>>();

  addSession(sessionId: SessionId, channel: Channel<SessionEvent>): void {
    add(this.#sessions, sessionId, channel);
  }

  removeSession(sessionId: SessionId, channel: Channel<SessionEvent>): void {
    remove(this.#sessions, sessionId, channel);
  }

  addResource(type: OperationType, resourceId: Digest, channel: Channel<ResourceEvent>): void {
    add(this.#resources, `${type} ${resourceId}`, channel);
  }

  removeResource(type: OperationType, resourceId: Digest, channel: Channel<ResourceEvent>): void {
    remove(this.#resources, `${type} ${resourceId}`, channel);
  }

  tellSession(sessionId: SessionId, event: SessionEvent): void {
    for (const channel of this.#sessions.get(sessionId) ?? []) channel.push(event);
  }

  endSession(sessionId: SessionId): void {
    for (const channel of this.#sessions.get(sessionId) ?? []) channel.end();
  }

  tellResource(event: ResourceEvent): void {
    for (const channel of this.#resources.get(`${event.type} ${event.resourceId}`) ?? []) channel.push(event);
  }

  tellAllSessions(event: SessionEvent): void {
    for (const sessionId of this.#sessions.keys()) this.tellSession(sessionId, event);
  }

  endAll(): void {
    for (const channel of this.#all()) channel.end();
  }

  /** Whoever listens is told that there is more that it will not hear. */
  breakAll(error: Error): void {
    for (const channel of this.#all()) channel.breakOff(error);
  }

  *#all(): Generator<Pick<Channel<never>, 'end' | 'breakOff'>> {
    for (const channels of this.#sessions.values()) yield* channels;
    for (const channels of this.#resources.values()) yield* channels;
  }
}

function add<K, T>(channels: Map<K, Set<Channel<T>>>, key: K, channel: Channel<T>): void {
  const known = channels.get(key) ?? new Set();
  channels.set(key, known.add(channel));
}

function remove<K, T>(channels: Map<K, Set<Channel<T>>>, key: K, channel: Channel<T>): void {
  const known = channels.get(key);
  known?.delete(channel);
  if (known?.size === 0) channels.delete(key);
}
