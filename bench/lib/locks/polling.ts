import { mean } from '../numbers.ts';
import { type Client, createClient } from './http.ts';
import { digest, range, sleep } from './many.ts';

const pollMs = 500;
const pairs = 20;
const rounds = 3;

/**
 * How long a client that polls `GET /lock/status` every 500 ms, as the oldest ones do, takes to notice on average that
 * the lock is its own: milliseconds from the answer to the unlock to the answer of the poll that says so.
 */
export async function meanPollingMs(url: string): Promise<number> {
  const client = createClient(url, 2 * pairs);
  try {
    const samples = await Promise.all(range(pairs).map((pair) => handOverInTurns(client, pair)));
    return mean(samples.flat());
  } finally {
    client.close();
  }
}

/** Two nodes that hand one lock back and forth. */
async function handOverInTurns(client: Client, pair: number): Promise<number[]> {
  const bodyOf = (name: string) => ({
    type: 'update',
    resource_id: digest(0xf00_000 + pair),
    node_id: `poller-${pair}-${name}`,
  });
  let [holder, waiter] = [bodyOf('a'), bodyOf('b')];
  const samples: number[] = [];
  await client.call('POST', '/lock', holder);
  for (let round = 0; round < rounds; round += 1) {
    await client.call('POST', '/lock', waiter);
    const noticed = pollUntilAcquired(client, waiter);
    // The unlock comes at any moment between two polls.
    await sleep(Math.random() * pollMs);
    await client.call('POST', '/unlock', { ...holder, success: true, error: '' });
    const acknowledgedAt = performance.now();
    samples.push((await noticed) - acknowledgedAt);
    [holder, waiter] = [waiter, holder];
  }
  return samples;
}

/** When the answer came. */
async function pollUntilAcquired(client: Client, body: object): Promise<number> {
  for (;;) {
    const { acquired } = await client.call('GET', '/lock/status', body);
    if (acquired) return performance.now();
    await sleep(pollMs);
  }
}
