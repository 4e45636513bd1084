import { createClient } from './http.ts';
import { digest, forEach, within } from './many.ts';
import { about, type Node, openNodes } from './nodes.ts';
import { openStream } from './stream.ts';

/** Milliseconds of one hand-off, to the arrival of the next holder's event. */
export interface HandOff {
  /** From the answer to the unlock; 0 when the event came first. */
  readonly fromAnswerMs: number;
  /** From the unlock itself. */
  readonly fromRequestMs: number;
}

/** What moves the lock on: the success of an update is no reason to skip the next one. */
const type = 'update';
const resource = digest(1);
const patienceMs = 20_000;

interface Granted {
  readonly node: Node;
  readonly atMs: number;
}

/** Hands one lock on from waiter to waiter for so many seconds; who had it waits again at the end of the queue. */
export async function handOffs(url: string, waiters: number, seconds: number): Promise<HandOff[]> {
  const nodes = await openNodes(url, waiters + 1, 'handoff');
  const control = createClient(url, 2);
  const grants = createGrants();
  const lock = (node: Node) => control.call('POST', '/lock', about(node, type, resource));
  const unlock = (node: Node) =>
    control.call('POST', '/unlock', { ...about(node, type, resource), success: true, error: '' });
  const streams = await listenAll(url, nodes.all, grants.tell);
  try {
    for (const node of nodes.all) await lock(node);
    const samples: HandOff[] = [];
    let [holder] = nodes.all;
    for (const end = performance.now() + seconds * 1_000; holder && performance.now() < end; ) {
      const granted = grants.next();
      const askedAt = performance.now();
      await unlock(holder);
      const answeredAt = performance.now();
      const { node, atMs }: Granted = await within(patienceMs, 'a hand-over', granted);
      samples.push({ fromAnswerMs: Math.max(0, atMs - answeredAt), fromRequestMs: atMs - askedAt });
      const [claimed] = await Promise.all([lock(node), lock(holder)]);
      if (!claimed['acquired']) throw new Error(`a grant that is none: ${JSON.stringify(claimed)}`);
      holder = node;
    }
    return samples;
  } finally {
    for (const stream of streams) stream.close();
    control.close();
    nodes.close();
  }
}

async function listenAll(url: string, nodes: readonly Node[], onGranted: (granted: Granted) => void) {
  const streams: { close(): void }[] = [];
  await forEach(nodes, 16, async (node) => {
    const onEvent = ({ name }: { readonly name: string }) => {
      if (name === 'granted') onGranted({ node, atMs: performance.now() });
    };
    const onBroken = () => {};
    streams.push(await openStream(`${url}/lock/subscribe?session=${node.sessionId}`, { onEvent, onBroken }));
  });
  return streams;
}

function createGrants() {
  let tell: (granted: Granted) => void = () => {};
  return {
    tell: (granted: Granted) => tell(granted),
    next: () =>
      new Promise<Granted>((resolve) => {
        tell = resolve;
      }),
  };
}
