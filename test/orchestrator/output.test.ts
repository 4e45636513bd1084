import { describe, expect, it } from 'vitest';
import type { PullEvent } from '../../src/orchestrator/events.ts';
import { type PullOutput, type WrittenImage, writeOutput } from '../../src/orchestrator/output.ts';
import { blobOf } from '../support/blobs.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const image: WrittenImage = {
  manifest: { descriptor: blobOf('a manifest'), bytes: new Uint8Array(1) },
};
const signal = new AbortController().signal;

async function written(write: PullOutput['write'], clock = createFakeClock(0)) {
  const events: PullEvent[] = [];
  const output: PullOutput = { kind: 'docker-archive', path: '/x.tar', write };
  const run = writeOutput(image, 100, { output, clock, onEvent: (event) => events.push(event) }, signal);
  return { result: await run, events };
}

describe('writing the output of a pull', () => {
  it('is nothing where there is none', async () => {
    const parts = { clock: createFakeClock(0), onEvent: () => expect.unreachable() };
    expect(await writeOutput(image, 100, parts, signal)).toBeUndefined();
  });

  it('tells how much is read, when that changed, and never more than there is', async () => {
    const clock = createFakeClock(0);
    const { result, events } = await written(async (_image, onRead) => {
      onRead(30);
      onRead(10);
      await clock.advance(500);
      await clock.advance(500);
      onRead(90);
      await clock.advance(500);
      return 777;
    }, clock);
    expect(result).toEqual({ kind: 'docker-archive', path: '/x.tar', bytes: 777 });
    const offsets = events.map((event) => (event.kind === 'exporting' ? event.offset : event));
    expect(offsets).toEqual([0, 40, 100]);
  });

  it('tells nothing more once it failed', async () => {
    const clock = createFakeClock(0);
    const failure = new Error('no space');
    let read = (_bytes: number) => {};
    const events: PullEvent[] = [];
    const write: PullOutput['write'] = async (_image, onRead) => {
      read = onRead;
      throw failure;
    };
    const output: PullOutput = { kind: 'oci', path: '/x', write };
    const run = writeOutput(image, 100, { output, clock, onEvent: (event) => events.push(event) }, signal);
    await expect(run).rejects.toBe(failure);
    read(50);
    await clock.advance(2_000);
    expect(events).toHaveLength(1);
  });
});
