import { describe } from 'vitest';
import type { ContentClient } from '../support/content-client.ts';
import { catalogCases } from './content-store/catalog.ts';
import { commitCases } from './content-store/commit.ts';
import { readingCases } from './content-store/reading.ts';
import { refusalCases } from './content-store/refusals.ts';
import { resumeCases } from './content-store/resume.ts';
import { writerCases } from './content-store/writers.ts';

/**
 * What containerd expects of every content store, spoken to over gRPC. `make` gives a client of an empty store and is
 * called once per case.
 */
export function describeContentStore(name: string, make: () => Promise<ContentClient>): void {
  describe(`the content store: ${name}`, () => {
    describe('writing', () => writerCases(make));
    describe('committing', () => commitCases(make));
    describe('going on', () => resumeCases(make));
    describe('reading', () => readingCases(make));
    describe('knowing what is there', () => catalogCases(make));
    describe('refusing', () => refusalCases(make));
  });
}
