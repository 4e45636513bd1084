/** Servers that can answer the same questions; the one that works is kept. */
export interface Servers {
  readonly count: number;
  current(): URL;
  /** Moves on to the next one, unless another request did so already. */
  failed(server: URL): void;
}

export function createServers(urls: readonly URL[]): Servers {
  const [first] = urls;
  if (!first) throw new TypeError('at least one server is needed');
  let index = 0;
  const current = () => urls[index] ?? first;
  return {
    count: urls.length,
    current,
    failed: (server) => {
      if (server === current()) index = (index + 1) % urls.length;
    },
  };
}

/** The address of `path` on a server, whose own URL may end in a path. */
export function urlOn(server: URL, path: string): URL {
  return new URL(server.href.replace(/\/+$/, '') + path);
}
