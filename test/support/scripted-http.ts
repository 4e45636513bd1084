import type { HttpClient, HttpRequest, HttpResponse } from '../../src/http/client.ts';

export interface ScriptedReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: AsyncIterable<Uint8Array>;
}

export interface ScriptedHttp extends HttpClient {
  readonly requests: readonly HttpRequest[];
  /** Bodies that were neither read to their end, nor left, nor discarded. */
  open(): number;
}

/** An HTTP client without a network: `answer` gives the reply to each request, or throws as a connection does. */
export function createScriptedHttp(
  answer: (request: HttpRequest, place: number) => ScriptedReply,
): ScriptedHttp {
  const requests: HttpRequest[] = [];
  let openBodies = 0;
  return {
    requests,
    open: () => openBodies,
    async send(request): Promise<HttpResponse> {
      requests.push(request);
      // As over a network, nothing is answered at once.
      await new Promise((resolve) => setImmediate(resolve));
      request.signal?.throwIfAborted();
      const { status, headers = {}, body = empty() } = answer(request, requests.length - 1);
      openBodies += 1;
      let isOpen = true;
      const end = () => {
        if (isOpen) openBodies -= 1;
        isOpen = false;
      };
      return { status, headers, body: ending(body, end), discard: async () => end() };
    },
    close: async () => {},
  };
}

async function* empty(): AsyncGenerator<Uint8Array> {}

async function* ending(body: AsyncIterable<Uint8Array>, end: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } finally {
    end();
  }
}
