/** One faulty request: what is wrong with it, and its bytes. */
export interface Fault {
  readonly what: string;
  readonly bytes: Buffer;
}

export const digest = `sha256:${'ab'.repeat(32)}`;
/** What a right request about a lock says. */
export const right = { type: 'pull', resource_id: digest, node_id: 'node-a' };

/** A request with this body, which closes its connection. */
function request(line: string, body?: string | Uint8Array, type = 'application/json'): Buffer {
  const bytes = Buffer.from(body ?? '');
  const about = body === undefined ? '' : `content-type: ${type}\r\ncontent-length: ${bytes.length}\r\n`;
  const head = `${line} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n${about}\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), bytes]);
}

export function fault(line: string, body?: string | Uint8Array, what = line): Fault {
  return { what, bytes: request(line, body) };
}
