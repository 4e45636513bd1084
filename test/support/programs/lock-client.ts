// A node for tests: a session with the real client. It is told what to do by JSON lines on stdin and tells on stdout what
// happens to it; its options are its one argument, as JSON. test/support/lock-client.ts starts it.
import { createInterface } from 'node:readline';
import { systemClock } from '../../../src/core/clock.ts';
import type { Digest } from '../../../src/core/digest.ts';
import { messageOf } from '../../../src/core/errors.ts';
import { toNodeId } from '../../../src/core/ids.ts';
import { createHttpLocks } from '../../../src/lock/backends/http/http-locks.ts';
import type { Hold, LayerReply, Place } from '../../../src/lock/locks.ts';
import { openLockSession } from '../../../src/lock/session.ts';
import type { LockClientOptions, LockCommand, LockLine } from '../lock-client-lines.ts';

const total = 1_000_000;

const options: LockClientOptions = JSON.parse(process.argv[2] ?? '{}');
const { server, nodeId, outOfReachMs = 20_000, pollMs = 100, retryDelayMs = 100 } = options;
const locks = createHttpLocks({
  servers: [new URL(server)],
  version: 'test',
  clock: systemClock,
  timeouts: { retryDelayMs },
});
const session = openLockSession({
  locks,
  nodeId: toNodeId(nodeId),
  clock: systemClock,
  onWarning: (warning) => tell({ kind: 'warning', reason: messageOf(warning) }),
  bounds: { firstContactMs: outOfReachMs, outOfReachMs, pollMs },
});
const holds = new Map<Digest, Hold>();
const places = new Map<Digest, Place>();
const forever = new AbortController().signal;

const commands = createInterface({ input: process.stdin });
commands.on('line', (line) => void obey(JSON.parse(line)));
// Whoever started it is gone.
commands.on('close', () => process.exit(0));
tell({ kind: 'ready', sessionId: session.sessionId });

function tell(line: LockLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function obey(command: LockCommand): Promise<void> {
  try {
    await carryOut(command);
  } catch (error) {
    tell({ kind: 'failed', reason: messageOf(error) });
  }
}

async function carryOut(command: LockCommand): Promise<void> {
  switch (command.do) {
    case 'acquire':
      await acquire(command.resource, command.holdsBack ?? false);
      break;
    case 'release':
      await release(command.resource, command.error);
      break;
    case 'decline':
      await places.get(command.resource)?.decline();
      tell({ kind: 'declined', resource: command.resource });
      break;
    case 'progress':
      holds.get(command.resource)?.progress(command.offset);
      tell({ kind: 'reported', resource: command.resource });
      break;
    case 'close':
      await close();
      break;
  }
}

async function acquire(resource: Digest, holdsBack: boolean): Promise<void> {
  for (;;) {
    const reply = await session.acquire({ type: 'pull', resourceId: resource, total }, forever);
    if (reply.kind !== 'queued') return tell(settled(resource, reply));
    places.set(resource, reply.place);
    tell({ kind: 'queued', resource, position: reply.place.position });
    const kind = await turn(resource, reply.place);
    if (kind === 'ended' || holdsBack) tell({ kind, resource });
    if (kind === 'offered' && holdsBack) return;
  }
}

async function turn(resource: Digest, place: Place): Promise<'offered' | 'ended'> {
  for (;;) {
    const change = await place.next(forever);
    if (change.kind === 'granted') return 'offered';
    if (change.kind !== 'moved') return 'ended';
    tell({ kind: 'moved', resource, position: change.position });
  }
}

function settled(resource: Digest, reply: Exclude<LayerReply, { kind: 'queued' }>): LockLine {
  if (reply.kind === 'skip') return { kind: 'skip', resource };
  if (reply.kind === 'refused') return { kind: 'refused', resource, reason: reply.message };
  const { hold } = reply;
  holds.set(resource, hold);
  hold.revoked.addEventListener('abort', () => {
    tell({ kind: 'revoked', resource, reason: messageOf(hold.revoked.reason) });
  });
  return { kind: 'granted', resource, ...(hold.token === undefined ? {} : { token: hold.token }) };
}

async function release(resource: Digest, error: string | undefined): Promise<void> {
  const outcome =
    error === undefined
      ? { success: true as const }
      : { success: false as const, error, class: 'node' as const };
  await holds.get(resource)?.release(outcome);
  tell({ kind: 'released', resource });
}

async function close(): Promise<void> {
  await session.close();
  await locks.close();
  tell({ kind: 'closed' });
  process.exit(0);
}
