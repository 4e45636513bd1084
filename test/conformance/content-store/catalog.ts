import { expect, it } from 'vitest';
import { expectSince, keptLabels, type MakeClient, put, randomContent, toMs } from './support.ts';

export function catalogCases(make: MakeClient): void {
  it('keeps labels, replaces all of them, and changes those that a field mask names', async () => {
    const client = await make();
    const content = randomContent(256);
    const { digest } = content;
    await put(client, 'c1', content, { k1: 'v1', k2: 'v2' });
    const committed = await client.info(digest);
    expect(committed.labels).toEqual({ k1: 'v1', k2: 'v2', ...keptLabels });

    const changedMs = Date.now();
    await client.update(digest, { k1: 'new', k3: 'v3', ...keptLabels });
    const updated = await client.info(digest);
    expect(updated.labels).toEqual({ k1: 'new', k3: 'v3', ...keptLabels });
    expectSince(updated.updatedAt, changedMs);
    expect(toMs(updated.createdAt)).toBe(toMs(committed.createdAt));

    await client.update(digest, { k1: 'v1', ...keptLabels }, ['labels.k3', 'labels.k1']);
    expect((await client.info(digest)).labels).toEqual({ k1: 'v1', ...keptLabels });
    await client.update(digest, { only: 'this' }, ['labels']);
    expect(await client.info(digest)).toMatchObject({ size: 256, labels: { only: 'this' } });
  });

  it('changes only labels, and only of what is there', async () => {
    const client = await make();
    const content = randomContent(10);
    await put(client, 'c1', content);
    const size = client.update(content.digest, {}, ['size']);
    await expect(size).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    const missing = client.update(randomContent(10).digest, { a: 'b' });
    await expect(missing).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('lists what is there, more than fits into one message too', async () => {
    const client = await make();
    const all = Array.from({ length: 130 }, () => randomContent(8));
    await Promise.all(all.map((content, number) => put(client, `c${number}`, content)));
    const listed = await client.list();
    expect(listed.map(({ digest }) => digest).sort()).toEqual(all.map(({ digest }) => digest).sort());
    for (const { size, createdAt } of listed) {
      expect(size).toBe(8);
      expect(toMs(createdAt)).toBeGreaterThan(0);
    }
  });

  it('lists what fits any of the filters', async () => {
    const client = await make();
    const [one, two, three] = [randomContent(8), randomContent(8), randomContent(8)];
    await put(client, 'c1', one, { tier: 'gold', 'a.b/c': 'x' });
    await put(client, 'c2', two, { tier: 'silver' });
    await put(client, 'c3', three);
    const found = async (...filters: string[]) => {
      const order = [one.digest, two.digest, three.digest].map(String);
      return (await client.list(...filters)).map(({ digest }) => order.indexOf(digest) + 1).sort();
    };
    expect(await found('labels.tier')).toEqual([1, 2]);
    expect(await found('labels.tier==gold')).toEqual([1]);
    expect(await found('labels.tier!=gold')).toEqual([2, 3]);
    expect(await found('labels.tier~=^(gold|silver)$')).toEqual([1, 2]);
    expect(await found('labels."a.b/c"==x')).toEqual([1]);
    expect(await found('labels.tier,labels."a.b/c"')).toEqual([1]);
    expect(await found('labels.tier==gold', `digest==${three.digest}`)).toEqual([1, 3]);
    expect(await found('labels.tier~=/^g/')).toEqual([1]);
    await expect(client.list('labels.tier=gold')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('forgets a blob that is deleted, once', async () => {
    const client = await make();
    const content = randomContent(8);
    await put(client, 'c1', content);
    await client.delete(content.digest);
    await expect(client.delete(content.digest)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await client.list()).toEqual([]);
  });
}
