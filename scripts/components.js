// Gets the real programs that the tests run beside layerpull (scripts/lib/component-table.js): from PATH, or unpacked
// into .cache without touching the system. Names what is missing; with --required or CI=true that is a failure.
import { ensureComponents } from './lib/components.js';
import { isCi } from './lib/environment.js';

const missing = await ensureComponents();
const required = process.argv.includes('--required') || isCi();
process.exitCode = required && missing.length > 0 ? 1 : 0;
