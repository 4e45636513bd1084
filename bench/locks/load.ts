// Puts the load of nodes on a lock server until it is stopped; says "registered" once all are there.
import { putLoadOn } from '../lib/locks/load.ts';

await putLoadOn(JSON.parse(process.argv[2] ?? '{}'), () => process.stdout.write('registered\n'));
