import { createEtcdRpc, type WatchReply } from './etcd-rpc.ts';

/** What lock servers wrote into etcd so far. */
export interface EntryMeter {
  readonly entries: () => number;
  /** Keys and values. */
  readonly bytes: () => number;
  close(): void;
}

const prefix = 'layerpull/live/log/';

/** Counts the entries of the log from now on, as one more of those who watch them. */
export async function meterEntries(address: string): Promise<EntryMeter> {
  const rpc = createEtcdRpc(address);
  await rpc.ready();
  const stream = rpc.openWatch();
  let [entries, bytes] = [0, 0];
  await new Promise<void>((created, reject) => {
    stream.once('error', reject).on('data', (reply: WatchReply) => {
      if (reply.created) created();
      for (const { type, kv } of reply.events) {
        if (type !== 'PUT') continue;
        entries += 1;
        bytes += kv.key.length + kv.value.length;
      }
    });
    const rangeEnd = Buffer.from(`${prefix.slice(0, -1)}0`);
    stream.write({ createRequest: { key: Buffer.from(prefix), rangeEnd } });
  });
  return {
    entries: () => entries,
    bytes: () => bytes,
    close() {
      stream.cancel();
      rpc.close();
    },
  };
}
