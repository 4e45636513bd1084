/** One server of a cluster, as those who want locks of it see it. */
export interface Locker {
  /** Resolves once the client has the lock, to whether it had to wait for another one. */
  acquire(client: number, lock: number): Promise<boolean>;
  release(client: number, lock: number): Promise<void>;
  /** Takes a place in the queue of a lock that is held; resolves when the place is taken. */
  queue(client: number, lock: number): Promise<void>;
  /** Releases so that nobody has to have the lock any more; resolves when etcd, or the order, has it. */
  complete(client: number, lock: number): Promise<void>;
}

/** The servers of one way to keep locks in etcd, all on one etcd. */
export interface Cluster {
  readonly servers: readonly Locker[];
  /** Resolves for each server when it knows that nobody waits for the lock any more. */
  allAnswered(lock: number): readonly Promise<void>[];
  readonly used: () => Used;
  close(): void;
}

/** By all servers together. */
export interface Used {
  readonly transactions: number;
  readonly events: number;
}

/** What a lock is asked with: who asks, of what type and where it answers, about 200 bytes of JSON. */
export function request(kind: string, client: number, lock: number) {
  return {
    kind,
    resourceId: `sha256:${lock.toString(16).padStart(64, '0')}`,
    type: 'pull',
    nodeId: `node-${String(client).padStart(6, '0')}`,
    sessionId: `session-${String(client).padStart(16, '0')}`,
  };
}

/** A promise and what settles it. */
export function createSignal<T>() {
  let tell: (value: T) => void = () => {};
  const told = new Promise<T>((resolve) => {
    tell = resolve;
  });
  return { told, tell };
}

/** Those who wait for something to become empty. */
export function createEmptiness() {
  const waiting = new Map<number, () => void>();
  return {
    when(lock: number): Promise<void> {
      return new Promise((resolve) => waiting.set(lock, resolve));
    },
    tell(lock: number): void {
      waiting.get(lock)?.();
      waiting.delete(lock);
    },
  };
}
