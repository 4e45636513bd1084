// liar LOCK-SERVER-URL OWN-ADDRESS DIGEST...; it says "announced" once the lock server knows of it.
import { startLiar } from '../../test/support/liar.ts';

const [lockUrl = '', address = '', ...digests] = process.argv.slice(2);
await startLiar({ lockUrl, address, digests });
process.stdout.write('announced\n');
