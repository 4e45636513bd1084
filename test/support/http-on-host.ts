import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { NetworkHost } from './netns.ts';

const execute = promisify(execFile);

export interface HostReply {
  /** 0: nothing answered within half a minute. */
  readonly status: number;
  readonly retryAfter: string | null;
  /** What the JSON says. */
  readonly body: unknown;
}

const program = `
const [method, url, body] = process.argv.slice(1);
const options = { method, signal: AbortSignal.timeout(30_000) };
if (body !== undefined) Object.assign(options, { body, headers: { 'content-type': 'application/json' } });
fetch(url, options).then(
  async (reply) => ({
    status: reply.status,
    retryAfter: reply.headers.get('retry-after'),
    body: JSON.parse((await reply.text()) || 'null'),
  }),
  () => ({ status: 0, retryAfter: null, body: null }),
).then((said) => console.log(JSON.stringify(said)));
`;

/** One request that is made on that host. */
export async function askFrom(
  { via }: NetworkHost,
  method: string,
  url: string,
  body?: object,
): Promise<HostReply> {
  const [command = '', ...before] = via;
  const said = body === undefined ? [] : [JSON.stringify(body)];
  const args = [...before, process.execPath, '-e', program, '--', method, url, ...said];
  const { stdout } = await execute(command, args, { timeout: 60_000 });
  return JSON.parse(stdout);
}
