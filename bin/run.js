#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { loadProgram } from './load.js';

const { main } = loadProgram(fileURLToPath(new URL('../dist/program/layerpull.cjs', import.meta.url)));
process.exit(await main(process.argv.slice(2), fileURLToPath(new URL('..', import.meta.url))));
