import { afterAll, afterEach, beforeEach } from 'vitest';
import { beginScope, endScope, runCleanups } from './cleanup.ts';

// A setup file of vitest: its hooks surround those of every test file, so a test's own afterEach still finds what it made.
beforeEach(beginScope);
afterEach(endScope);
afterAll(runCleanups);
