import { toSessionId } from '../../../../src/core/ids.ts';
import {
  createDurableLocks,
  type DurableLocksOptions,
} from '../../../../src/lock/backends/durable/durable-locks.ts';
import { describeLocks, describeRestarts, type MakeLocks } from '../../../conformance/locks.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';
import { forwardingLocks } from '../../../support/forwarding-locks.ts';
import { tempDir } from '../../../support/temp.ts';

const makeDurable: MakeLocks = async (setup) => {
  const clock = createFakeClock();
  const options: DurableLocksOptions = { directory: tempDir(), clock, ...setup };
  let current = await createDurableLocks(options);
  return {
    locks: forwardingLocks(() => current),
    async advance(ms) {
      await clock.advance(ms);
      // An answer that waits for the disk: what the time changed is there, too.
      await current.closeSession(toSessionId('nobody'));
    },
    async restart() {
      await current.close();
      current = await createDurableLocks(options);
    },
    close: () => current.close(),
  };
};

describeLocks('on disk', makeDurable);
describeRestarts('on disk', makeDurable);
