import path from 'node:path';
import { systemClock } from '../../src/core/clock.ts';
import { openStore } from '../../src/store/oci-layout.ts';
import { describeBlobStore } from '../conformance/blob-store.ts';
import { createFakeBlobStore } from '../support/fake-blob-store.ts';
import { tempDir } from '../support/temp.ts';

describeBlobStore('an OCI layout', async () => {
  const store = await openStore({ path: path.join(tempDir(), 'store'), clock: systemClock });
  return store.blobs;
});

// Other tests lean on the fake: it has to keep the same promises.
describeBlobStore('the fake', async () => createFakeBlobStore());
