// A lock server whose every commit takes so many milliseconds longer: DIRECTORY MILLISECONDS. Prints its URL.
import { systemClock as clock } from '../../src/core/clock.ts';
import { createDurableLocks } from '../../src/lock/backends/durable/durable-locks.ts';
import { createLockServer } from '../../src/lock/server/server.ts';

const [, , directory = '', delay = ''] = process.argv;
const locks = await createDurableLocks({
  directory,
  clock,
  onPoint: async (point) => {
    if (point === 'before-append') await clock.sleep(Number(delay));
  },
});
const server = createLockServer({ locks, clock });
const { url } = await server.listen({ host: '127.0.0.1', port: 0 });
process.stdout.write(`${url}\n`);
process.once('SIGTERM', () => process.exit(0));
