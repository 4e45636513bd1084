// A pull for tests that has written its reference and gets no further. Arguments: the folder of the store, a digest.
import { systemClock } from '../../../src/core/clock.ts';
import { parseDigest } from '../../../src/core/digest.ts';
import { openStore } from '../../../src/store/oci-layout.ts';

const [folder = '', digest = ''] = process.argv.slice(2);
const { references } = await openStore({ path: folder, clock: systemClock });
const claim = await references.claim({ name: 'team/app:1', digests: [parseDigest(digest)] });
process.stdout.write('claimed\n');
process.stdin.resume().once('end', () => void claim.release());
