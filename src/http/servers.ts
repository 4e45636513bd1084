/** Servers that can answer the same questions; the one that works is kept. */
export interface Servers {
  readonly count: number;
  current(): URL;
  /** The current one, then the others as they follow it. */
  inOrder(): readonly URL[];
  /** Makes `to` the current one in place of `from`, unless another request left that one already. */
  move(from: URL, to: URL): void;
  /** Goes on to the next one, unless another request did so already. */
  leave(server: URL): void;
  /** Calls back whenever another one has become the current. Answers how to stop that. */
  onMove(callback: () => void): () => void;
  /** It gave an answer. */
  answered(server: URL): void;
  /** Whether it gave an answer since it was left last. */
  hasAnswered(server: URL): boolean;
}

/** @param urls in the order in which they are to be tried; the same one twice counts once */
export function createServers(urls: readonly URL[]): Servers {
  const all = [...new Map(urls.map((url) => [url.href, url])).values()];
  const [first] = all;
  if (!first) throw new TypeError('at least one server is needed');
  const trusted = new Set<URL>();
  const callbacks = new Set<() => void>();
  let now = first;
  const inOrder = () => {
    const index = all.indexOf(now);
    return [...all.slice(index), ...all.slice(0, index)];
  };
  const move = (from: URL, to: URL) => {
    if (from !== now || to === now) return;
    trusted.delete(from);
    now = to;
    for (const callback of [...callbacks]) callback();
  };
  return {
    count: all.length,
    current: () => now,
    inOrder,
    move,
    leave: (server) => {
      const [, next] = inOrder();
      if (next) move(server, next);
    },
    onMove: (callback) => {
      // The same function may listen twice.
      const own = () => callback();
      callbacks.add(own);
      return () => void callbacks.delete(own);
    },
    answered: (server) => void trusted.add(server),
    hasAnswered: (server) => trusted.has(server),
  };
}

/**
 * The same in an order that is left to chance (Fisher and Yates): many clients of some servers spread over them, and
 * those of one that fails over the others.
 *
 * @param random number in [0, 1)
 */
export function shuffled<T>(all: readonly T[], random: () => number): readonly T[] {
  const rest = [...all];
  const order: T[] = [];
  while (rest.length > 0) order.push(...rest.splice(Math.floor(random() * rest.length), 1));
  return order;
}

/** The address of `path` on a server, whose own URL may end in a path. */
export function urlOn(server: URL, path: string): URL {
  return new URL(server.href.replace(/\/+$/, '') + path);
}
