import { beforeAll } from 'vitest';
import { systemClock } from '../../../../src/core/clock.ts';
import { toSessionId } from '../../../../src/core/ids.ts';
import { createEtcd } from '../../../../src/lock/backends/etcd/client/etcd-client.ts';
import { createEtcdLocks } from '../../../../src/lock/backends/etcd/etcd-locks.ts';
import { describeLocks, describeRestarts, type MakeLocks } from '../../../conformance/locks.ts';
import { describeWith } from '../../../support/components.ts';
import { startEtcd } from '../../../support/etcd.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';
import { forwardingLocks } from '../../../support/forwarding-locks.ts';

/** Shorter than a heartbeat: a longer gap would be taken for a pause of all servers. */
const stepMs = 2_000;

describeWith(['etcd'], 'over a real etcd', () => {
  let address = '';
  let clusters = 0;
  beforeAll(async () => {
    address = (await startEtcd()).address;
  });

  const makeEtcd: MakeLocks = async (setup) => {
    const clock = createFakeClock();
    clusters += 1;
    // The client lives in real time: etcd does.
    const etcd = createEtcd({ endpoints: [address], prefix: `case-${clusters}/`, clock: systemClock });
    const options = { etcd, clock, version: '0.0.0', snapshotEvery: 7, ...setup };
    let current = await createEtcdLocks(options);
    return {
      locks: forwardingLocks(() => current),
      async advance(ms) {
        for (let left = ms; left > 0; left -= stepMs) {
          await clock.advance(Math.min(left, stepMs));
          // Has its place behind all that the time changed.
          await current.closeSession(toSessionId('nobody'));
        }
      },
      async restart() {
        await current.close();
        current = await createEtcdLocks(options);
      },
      async close() {
        await current.close();
        await etcd.close();
      },
    };
  };

  describeLocks('over etcd', makeEtcd);
  describeRestarts('over etcd', makeEtcd);
});
