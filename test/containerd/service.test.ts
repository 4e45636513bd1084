import { expect, it } from 'vitest';
import { describeContentStore } from '../conformance/content-store.ts';
import { setUpService } from './support.ts';

describeContentStore('of layerpull', async () => (await setUpService()).client);

it('has a reference free again before it ends its stream', async () => {
  const { client } = await setUpService();
  for (let round = 0; round < 20; round += 1) {
    const writer = await client.writer('c1');
    await writer.write(Buffer.from('x'));
    await writer.close();
  }
  const wrong = await client.writer('c1');
  await expect(wrong.commit({ total: 5 })).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
  const last = await client.writer('c1');
  await last.commit();
  await last.ended;
  expect((await client.writer('c1')).offset()).toBe(0);
});
