// Many nodes in one process, by hand over HTTP: each has a session, a heartbeat and a stream that it opens again when it
// breaks. The first holds the resource, all others wait for it. Says on stdout when all streams are open.
import http from 'node:http';
import * as v from 'valibot';
import { readEvents } from '../../../src/http/sse.ts';
import type { SessionEvent, SessionSnapshot } from '../../../src/lock/locks.ts';
import { sessionEventFromWire } from '../../../src/lock/protocol/events.ts';
import type { CrowdLine, CrowdOptions } from '../crowd-lines.ts';

interface Member {
  readonly node: string;
  readonly session: string;
  /** Streams so far that began with a snapshot. */
  streams: number;
  /** 0 holds; -1 has neither lock nor place. */
  place: number;
}

const options: CrowdOptions = JSON.parse(process.argv[2] ?? '');
const { server, count, resource, heartbeatMs } = options;
const agent = new http.Agent({ keepAlive: true, maxSockets: 32 });
const replySchema = v.object({
  session_id: v.optional(v.string(), ''),
  acquired: v.optional(v.boolean(), false),
  position: v.optional(v.number(), -1),
  token: v.optional(v.number(), 0),
});
const members: Member[] = [];
let token = 0;
let round = 0;
let completed = 0;

// Whoever started it is gone.
process.stdin.resume().on('end', () => process.exit(0));
for (let index = 0; index < count; index += 1) members.push(await join(`node-${index}`));
for (const member of members) {
  void keepStream(member);
  setInterval(() => void beat(member), heartbeatMs);
}

function tell(line: CrowdLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function join(node: string): Promise<Member> {
  const { session_id: session } = await ask('POST', '/sessions', { node_id: node });
  const question = { type: 'pull', resource_id: resource, node_id: node, session_id: session };
  const reply = await ask('POST', '/lock', question);
  if (reply.acquired) token = reply.token;
  return { node, session, streams: 0, place: reply.acquired ? 0 : reply.position };
}

/** Heartbeats that a broken connection swallows are made up for by the next one. */
async function beat({ session, place }: Member): Promise<void> {
  const held = place === 0 ? [{ type: 'pull', resource_id: resource, token }] : [];
  await ask('PUT', `/sessions/${session}`, { held }).catch(() => {});
}

async function keepStream(member: Member): Promise<void> {
  for (;;) {
    try {
      await readStream(member);
    } catch {
      // Broken: opened again below.
    }
    // As clients do, so that they do not all come in the same millisecond.
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 500));
  }
}

async function readStream(member: Member): Promise<void> {
  const response = await send('GET', `/lock/subscribe?session=${member.session}`);
  if (response.statusCode !== 200)
    return tell({ kind: 'wrong', node: member.node, what: `status ${response.statusCode}` });
  for await (const { event = '', data } of readEvents(response)) {
    const parsed = sessionEventFromWire(event, JSON.parse(data));
    if (parsed?.ok) hear(member, parsed.value);
    else tell({ kind: 'wrong', node: member.node, what: event });
  }
}

function hear(member: Member, event: SessionEvent): void {
  if (event.kind === 'snapshot') {
    seen(member, event);
  } else if (event.kind === 'completed') {
    completed += 1;
    if (completed === count - 1) tell({ kind: 'completed', count: completed });
  } else if (event.kind === 'revoked' || event.kind === 'failed') {
    tell({ kind: 'wrong', node: member.node, what: event.kind });
  }
}

function seen(member: Member, { granted, queued }: SessionSnapshot): void {
  member.streams += 1;
  member.place = granted.length > 0 ? 0 : (queued[0]?.position ?? -1);
  if (members.some(({ streams }) => streams <= round)) return;
  round += 1;
  tell({ kind: 'up', round, places: members.map(({ place }) => place) });
}

async function ask(method: string, path: string, body: object) {
  const response = await send(method, path, body);
  let text = '';
  for await (const piece of response.setEncoding('utf8')) text += piece;
  return v.parse(replySchema, JSON.parse(text));
}

/** A stream has a connection of its own. */
function send(method: string, path: string, body?: object): Promise<http.IncomingMessage> {
  const headers = { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const request = http.request(
      new URL(path, server),
      body ? { method, headers, agent } : { method, agent: false },
    );
    request.once('response', resolve).on('error', reject);
    request.end(body ? JSON.stringify(body) : undefined);
  });
}
