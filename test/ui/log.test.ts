import { describe, expect, it } from 'vitest';
import { createLog, type LogOptions } from '../../src/ui/log.ts';

async function linesOf(options: Partial<LogOptions>): Promise<string[]> {
  const written: string[] = [];
  const stream = { write: (text: string) => written.push(text) };
  const log = createLog({ level: 'info', format: 'json', color: false, stream, ...options });
  log.debug({}, 'hidden');
  log.info({ layer: 1 }, 'granted');
  log.warn({ layer: 2 }, 'reclaimed');
  await log.flush();
  return written;
}

describe('the log', () => {
  it('writes JSON with level, time and message, in order', async () => {
    const lines = (await linesOf({})).map((line) => JSON.parse(line));
    expect(lines).toEqual([
      { level: 'info', time: expect.stringMatching(/^\d{4}-.*Z$/), layer: 1, msg: 'granted' },
      { level: 'warn', time: expect.any(String), layer: 2, msg: 'reclaimed' },
    ]);
  });

  it('writes one line of text per entry', async () => {
    const lines = await linesOf({ format: 'text' });
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^\[[\d:.]+\] INFO: granted \{"layer":1\}\n$/);
  });

  it('leaves out what is below its level', async () => {
    expect(await linesOf({ level: 'warn' })).toHaveLength(1);
    expect(await linesOf({ level: 'silent' })).toEqual([]);
  });
});
