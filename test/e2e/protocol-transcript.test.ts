import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type RunningStream, runExample, whyNoCurl } from '../docs/curl.ts';
import { examplesIn } from '../docs/transcript.ts';
import { reportMissing } from '../support/components.ts';
import { startServer } from '../support/pulls.ts';
import { inRoot } from '../support/root.ts';
import { tempDir } from '../support/temp.ts';

const examples = examplesIn(readFileSync(inRoot('docs', 'protocol.md'), 'utf8'));
/** So long that no machine is too slow for the sessions of the examples. */
const patient = ['--session-ttl', '10m', '--stall-timeout', '10m'];

const missing = whyNoCurl();

describe('the examples of docs/protocol.md', () => {
  if (missing) return reportMissing(missing);
  it.each([
    { kept: 'in a data directory', args: () => ['--data', tempDir()] },
    { kept: 'in memory', args: () => ['--ephemeral'] },
  ])(
    'get the answers that it shows from a server that keeps its state $kept',
    { timeout: 120_000 },
    async ({ args }) => {
      const { url } = await startServer('127.0.0.1:0', [...args(), ...patient]);
      const names = new Map<string, string>();
      const streams: RunningStream[] = [];
      for (const example of examples) {
        const stream = await runExample(url, example, names);
        if (stream) streams.push(stream);
      }
      for (const stream of streams) await stream.finish();
      expect(examples.length).toBeGreaterThan(20);
    },
  );
});
