import { systemClock } from '../../../src/core/clock.ts';
import { type CommitPoint, createDurableLocks } from '../../../src/lock/backends/durable/durable-locks.ts';
import { createLockServer } from '../../../src/lock/server/server.ts';

/**
 * A lock server that kills itself. Arguments: data directory, port. Prints its URL. A line on its input such as
 * `after-append` arms that point: the next time a commit gets there, the process is gone.
 */
const [directory = '', port = '0'] = process.argv.slice(2);
/** So long that no machine is too slow for the clients to keep their sessions. */
const ttlMs = 3_600_000;
let armed: string | undefined;

process.stdin.setEncoding('utf8').on('data', (line: string) => {
  armed = line.trim();
  process.stdout.write(`armed ${armed}\n`);
});

function onPoint(point: CommitPoint): void {
  if (point === armed) process.kill(process.pid, 'SIGKILL');
}

const locks = await createDurableLocks({ directory, clock: systemClock, onPoint, recoveryMs: 0, ttlMs });
const server = createLockServer({ locks, clock: systemClock });
const { url } = await server.listen({ host: '127.0.0.1', port: Number(port) });
process.stdout.write(`${url}\n`);
