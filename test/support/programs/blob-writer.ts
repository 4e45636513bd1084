// Writes a blob into a store as told by lines on stdin: `write N`, `commit`, `close`, `discard`; answers each with `ok`.
// Arguments: the folder of the store, the number of bytes, the name of the writer.
import { createInterface } from 'node:readline';
import { systemClock } from '../../../src/core/clock.ts';
import { mediaTypes } from '../../../src/core/descriptor.ts';
import { digestOf } from '../../../src/core/digest.ts';
import { toSessionId } from '../../../src/core/ids.ts';
import { openStore } from '../../../src/store/oci-layout.ts';
import { madeBytes } from '../fake-registry/content.ts';

const [folder = '', size = '0', session = 'other'] = process.argv.slice(2);
const bytes = madeBytes('peers', Number(size));
const { blobs } = await openStore({ path: folder, clock: systemClock });
const layer = { mediaType: mediaTypes.ociLayerGzip, digest: digestOf(bytes), size: bytes.length };
const ingest = await blobs.ingest(layer, { session: toSessionId(session) });
process.stdout.write('begun\n');
for await (const line of createInterface({ input: process.stdin })) {
  const [order, count] = line.split(' ');
  if (order === 'write')
    await ingest.write(bytes.subarray(ingest.written(), ingest.written() + Number(count)));
  else if (order === 'commit') await ingest.commit();
  else if (order === 'discard') await ingest.discard();
  else await ingest.close();
  process.stdout.write('ok\n');
}
