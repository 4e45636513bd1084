import { type Client, createClient } from './http.ts';
import { digest, forEach, range, shares, within } from './many.ts';
import { about, type Node, type Nodes, openNodes } from './nodes.ts';
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

/** A node, and the server that it is at. */
interface Member {
  readonly node: Node;
  readonly url: string;
  readonly control: Client;
}

interface Granted {
  readonly member: Member;
  readonly atMs: number;
}

/**
 * Hands one lock on from waiter to waiter for so many seconds; who had it waits again at the end of the queue. With
 * several servers each next one is at another of them.
 */
export async function handOffs(
  servers: string | readonly string[],
  waiters: number,
  seconds: number,
): Promise<HandOff[]> {
  const places = await openPlaces([servers].flat(), waiters + 1);
  const members = inTurns(places);
  const grants = createGrants();
  const lock = ({ control, node }: Member) => control.call('POST', '/lock', about(node, type, resource));
  const unlock = ({ control, node }: Member) =>
    control.call('POST', '/unlock', { ...about(node, type, resource), success: true, error: '' });
  const streams = await listenAll(members, grants.tell);
  try {
    for (const member of members) await lock(member);
    const samples: HandOff[] = [];
    let [holder] = members;
    for (const end = performance.now() + seconds * 1_000; holder && performance.now() < end; ) {
      const granted = grants.next();
      const askedAt = performance.now();
      await unlock(holder);
      const answeredAt = performance.now();
      const { member, atMs }: Granted = await within(patienceMs, 'a hand-over', granted);
      samples.push({ fromAnswerMs: Math.max(0, atMs - answeredAt), fromRequestMs: atMs - askedAt });
      const [claimed] = await Promise.all([lock(member), lock(holder)]);
      if (!claimed['acquired']) throw new Error(`a grant that is none: ${JSON.stringify(claimed)}`);
      holder = member;
    }
    return samples;
  } finally {
    for (const stream of streams) stream.close();
    for (const { control, nodes } of places) {
      control.close();
      nodes.close();
    }
  }
}

interface Place {
  readonly url: string;
  readonly control: Client;
  readonly nodes: Nodes;
}

function openPlaces(urls: readonly string[], count: number): Promise<Place[]> {
  return Promise.all(
    shares(count, urls.length).map(async (share, index) => {
      const url = urls[index] ?? '';
      return { url, control: createClient(url, 2), nodes: await openNodes(url, share, `handoff-${index}`) };
    }),
  );
}

function inTurns(places: readonly Place[]): Member[] {
  const longest = Math.max(...places.map(({ nodes }) => nodes.all.length));
  return range(longest).flatMap((turn) =>
    places.flatMap(({ url, control, nodes }) => {
      const node = nodes.all[turn];
      return node ? [{ node, url, control }] : [];
    }),
  );
}

async function listenAll(members: readonly Member[], onGranted: (granted: Granted) => void) {
  const streams: { close(): void }[] = [];
  await forEach(members, 16, async (member) => {
    const onEvent = ({ name }: { readonly name: string }) => {
      if (name === 'granted') onGranted({ member, atMs: performance.now() });
    };
    const onBroken = () => {};
    const url = `${member.url}/lock/subscribe?session=${member.node.sessionId}`;
    streams.push(await openStream(url, { onEvent, onBroken }));
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
