import http from 'node:http';

export interface Reply {
  readonly status: number;
  /** What the JSON of the body says; undefined without a body. */
  readonly body: unknown;
}

/** A bare client with kept connections: what it measures is the server. */
export interface Client {
  /** @throws when no answer comes, or one whose status is not `expected` (default 200) */
  call(method: string, path: string, body?: object, expected?: number): Promise<Record<string, unknown>>;
  /** Any answer. @throws when none comes */
  ask(method: string, path: string, body?: object): Promise<Reply>;
  close(): void;
}

/** Requests wait in line while `connections` (default 1) of them are under way. */
export function createClient(origin: string, connections = 1): Client {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections, scheduling: 'fifo' });
  const { hostname: host, port } = new URL(origin);
  const ask = (method: string, path: string, body?: object) =>
    send({ agent, host, port, method, path }, body === undefined ? undefined : JSON.stringify(body));
  return {
    ask,
    async call(method, path, body, expected = 200) {
      const reply = await ask(method, path, body);
      if (reply.status !== expected) throw new Error(`${method} ${path}: ${JSON.stringify(reply)}`);
      return isRecord(reply.body) ? reply.body : {};
    },
    close: () => agent.destroy(),
  };
}

function send(options: http.RequestOptions, text: string | undefined): Promise<Reply> {
  // Given the length, Node sends a body with a GET too.
  const length = { 'content-length': Buffer.byteLength(text ?? '') };
  const headers = text === undefined ? {} : { 'content-type': 'application/json', ...length };
  return new Promise((resolve, reject) => {
    const request = http.request({ ...options, headers }, (response) => {
      let said = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        said += chunk;
      });
      response.once('error', reject);
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, body: said === '' ? undefined : JSON.parse(said) }),
      );
    });
    request.once('error', reject);
    request.end(text);
  });
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
