import { describe, expect, it } from 'vitest';
import { contentLength, readBeginning, readWhole } from '../../src/http/limits.ts';

interface Feed {
  readonly body: AsyncIterable<Uint8Array>;
  state: 'open' | 'left' | 'read';
}

function feedOf(pieces: readonly string[], failure?: Error): Feed {
  const feed: Feed = { body: generate(), state: 'open' };
  async function* generate() {
    let ended = false;
    try {
      for (const piece of pieces) yield Buffer.from(piece);
      if (failure) throw failure;
      ended = true;
    } finally {
      feed.state = ended ? 'read' : 'left';
    }
  }
  return feed;
}

const tooLong = () => new Error('too long');

describe('reading a whole body', () => {
  it('gives all of it up to the limit itself', async () => {
    const feed = feedOf(['abc', 'def']);
    expect((await readWhole(feed.body, 6, tooLong)).toString()).toBe('abcdef');
    expect(feed.state).toBe('read');
  });

  it('leaves a longer one at once', async () => {
    const feed = feedOf(['abc', 'def', 'ghi']);
    await expect(readWhole(feed.body, 5, tooLong)).rejects.toThrow('too long');
    expect(feed.state).toBe('left');
  });

  it('passes on what breaks it', async () => {
    await expect(readWhole(feedOf(['a'], new Error('reset')).body, 5, tooLong)).rejects.toThrow('reset');
  });
});

describe('reading the beginning of a body', () => {
  it('stops at the limit', async () => {
    const feed = feedOf(['abc', 'def', 'ghi']);
    expect((await readBeginning(feed.body, 4)).toString()).toBe('abcd');
    expect(feed.state).toBe('left');
  });

  it('gives what came before the connection broke', async () => {
    const feed = feedOf(['abc'], new Error('reset'));
    expect((await readBeginning(feed.body, 10)).toString()).toBe('abc');
  });
});

describe('the declared length', () => {
  it.each([
    ['12', 12],
    ['0', 0],
    ['', undefined],
    ['-1', undefined],
    ['1e3', undefined],
    ['12, 12', undefined],
    ['9'.repeat(16), undefined],
  ])('of %j is %s', (text, length) => {
    expect(contentLength({ 'content-length': text })).toBe(length);
  });

  it('may be absent', () => {
    expect(contentLength({})).toBeUndefined();
  });
});
