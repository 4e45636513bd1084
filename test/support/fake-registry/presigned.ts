import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Fault } from './faults.ts';
import { refuse, sendContent } from './send.ts';
import type { LoggedRequest, State, Writable } from './state.ts';

/** Redirects to a new address of the form `/presigned/NUMBER/DIGEST`. */
export function sendToPresigned(
  state: State,
  fault: Fault & { kind: 'presigned' },
  { path }: LoggedRequest,
  response: ServerResponse,
): void {
  const number = String(state.presigned.size + 1);
  state.presigned.set(number, { spent: fault.expired ?? false, afterBytes: fault.afterBytes });
  const name = path.slice(path.lastIndexOf('/') + 1);
  response.writeHead(307, { location: `/presigned/${number}/${name}?signature=secret` }).end();
}

/** Gives the content once; after that the address has expired. */
export async function answerPresigned(
  state: State,
  entry: Writable<LoggedRequest>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [, , number = '', name = ''] = entry.path.split('/');
  const address = state.presigned.get(number);
  const content = state.blobs.get(name);
  if (!address || !content || address.spent) return refuse(response, 403, 'DENIED', 'request has expired');
  address.spent = true;
  const { afterBytes } = address;
  const fault = afterBytes === undefined ? undefined : ({ kind: 'flaky', afterBytes } as const);
  const onBytes = (bytes: number) => {
    entry.bytes += bytes;
  };
  await sendContent({
    ...{ request, response, content, fault, onBytes, closed: state.closed },
    gate: state.gates.get(name),
  });
}
