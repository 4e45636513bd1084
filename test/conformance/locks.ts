import { describe } from 'vitest';
import { completionCases } from './locks/completion.ts';
import { nodeCases } from './locks/nodes.ts';
import { olderClientCases } from './locks/older-clients.ts';
import { progressCases } from './locks/progress.ts';
import { queueCases } from './locks/queue.ts';
import { recoveryCases } from './locks/recovery.ts';
import { releaseCases } from './locks/release.ts';
import { restartCases } from './locks/restarts.ts';
import { sessionCases } from './locks/sessions.ts';
import { sourceCases } from './locks/sources.ts';
import { streamCases } from './locks/streams.ts';
import { useWorlds } from './locks/support.ts';
import { viewCases } from './locks/views.ts';
import type { MakeLocks } from './locks/world.ts';

export type { LocksSetup, LocksUnderTest, MakeLocks } from './locks/world.ts';

export interface Promised {
  /** False for locks that hand on what another service says of sources. Default true. */
  readonly sources?: boolean;
}

/** What every implementation of `Locks` promises. Call it from a test file; `make` is called once per case. */
export function describeLocks(name: string, make: MakeLocks, { sources = true }: Promised = {}): void {
  describe(`the lock service: ${name}`, () => {
    const start = useWorlds(make);
    describe('one holder and one queue', () => queueCases(start));
    describe('completion and failure', () => completionCases(start));
    describe('release and decline', () => releaseCases(start));
    describe('sessions', () => sessionCases(start));
    describe('streams of sessions', () => streamCases(start));
    describe('clients without a session', () => olderClientCases(start));
    describe('recovery after a restart', () => recoveryCases(start));
    describe('views', () => viewCases(start));
    describe('nodes', () => nodeCases(start));
    describe('progress', () => progressCases(start));
    if (sources) describe('sources', () => sourceCases(start));
  });
}

/** What those promise besides that keep their state. */
export function describeRestarts(name: string, make: MakeLocks): void {
  describe(`the lock service after a restart: ${name}`, () => restartCases(useWorlds(make)));
}
