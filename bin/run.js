#!/usr/bin/env node
import module from 'node:module';
import { fileURLToPath } from 'node:url';
import v8 from 'node:v8';

// Where Node cannot keep compiled code, it should not spend a seventh of a short pull on optimising what is about to end.
if (module.enableCompileCache) module.enableCompileCache();
else v8.setFlagsFromString('--interrupt-budget=500000');
// The HTTP parser is WebAssembly, and a short program would wait at its end for code that it optimised for nothing.
v8.setFlagsFromString('--liftoff-only');
const { main } = await import('../dist/cli.js');
process.exit(await main(process.argv.slice(2), fileURLToPath(new URL('..', import.meta.url))));
