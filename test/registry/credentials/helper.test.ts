import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createHelper } from '../../../src/registry/credentials/helper.ts';
import { makeHelper, makeOddHelper } from '../../support/credential-helper.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { soon } from '../../support/soon.ts';
import { errorOf } from '../support.ts';

const { signal } = new AbortController();

function createRig({ dir }: { dir: string }, name = 'tests') {
  const clock = createFakeClock();
  const env = { PATH: `${dir}:${process.env['PATH']}`, MARK: path.join(dir, 'mark') };
  return { clock, mark: env.MARK, helper: createHelper(name, { env, clock }) };
}

/** Says that it runs, and waits for ever. */
const hanging = 'touch "$MARK"; exec sleep 1000';

describe('a credential helper', () => {
  it('keeps, gives and erases', async () => {
    const program = makeHelper('tests');
    const { helper } = createRig(program);
    expect(await helper.get('a.example', signal)).toBeUndefined();
    await helper.store('a.example', { username: 'bob', secret: 'pass "word"\n' }, signal);
    expect(await helper.get('a.example', signal)).toMatchObject({
      username: 'bob',
      password: 'pass "word"\n',
    });
    expect([await helper.erase('a.example', signal), await helper.erase('a.example', signal)]).toEqual([
      true,
      false,
    ]);
  });

  it('may answer without reading what it is told', async () => {
    const { helper } = createRig(makeOddHelper('tests', `echo '{"Username":"bob","Secret":"s"}'`));
    const long = 'x'.repeat(1_000_000);
    expect(await helper.get(long, signal)).toMatchObject({ username: 'bob' });
  });

  it('that never answers is given up after a minute and ended', async () => {
    const { helper, clock, mark } = createRig(makeOddHelper('tests', hanging));
    const error = errorOf(helper.get('a.example', signal));
    await soon(async () => expect(existsSync(mark)).toBe(true));
    await clock.advance(60_000);
    expect(await error).toMatchObject({ message: expect.stringContaining('within 60 s') });
    expect(clock.pending()).toBe(0);
  });

  it('ends when nobody waits for it any more', async () => {
    const { helper, mark } = createRig(makeOddHelper('tests', hanging));
    const abort = new AbortController();
    const error = errorOf(helper.get('a.example', abort.signal));
    await soon(async () => expect(existsSync(mark)).toBe(true));
    abort.abort(new Error('interrupted'));
    expect(await error).toMatchObject({ message: 'interrupted' });
  });

  it.each(['', '.', '..', '../evil', 'a/b', '-x', 'a b', 'x;y', 'x\0', 'x'.repeat(65)])(
    'is not looked for under the name %j',
    async (name) => {
      const { helper } = createRig(makeHelper('tests'), name);
      expect(await errorOf(helper.get('a.example', signal))).toMatchObject({
        code: 'credentials_unusable',
        message: expect.stringContaining('is no name'),
      });
    },
  );
});
