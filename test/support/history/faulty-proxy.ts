import net from 'node:net';
import { systemClock } from '../../../src/core/clock.ts';

/** How likely each fault is with a piece of a request or of a reply, from 0 to 1. */
export interface Faults {
  /** The connection ends, and the request is not handed on. */
  readonly loseRequest: number;
  /** The request is handed on, and the connection ends in place of its reply. */
  readonly loseReply: number;
  /** The request is handed on, and the connection ends at once. */
  readonly sever: number;
  /** The piece comes late; what follows waits for it. */
  readonly delay: number;
}

export const noFaults: Faults = { loseRequest: 0, loseReply: 0, sever: 0, delay: 0 };

export interface FaultyProxyOptions {
  /** Port of the server on 127.0.0.1, asked with each connection: a server that was restarted has another. */
  readonly target: () => number;
  /** Asked with each piece. */
  readonly faults: () => Faults;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  /** Hears of the end of each connection before the server can, and whether it carried a stream of events. */
  readonly onCut: (isStream: boolean) => void;
  /** Hears of each piece that the client was handed. */
  readonly onReply?: (piece: Buffer) => void;
}

export interface FaultyProxy {
  readonly url: URL;
  /** Ends all connections. */
  cut(): void;
  /** Ends all connections and takes no new ones. Idempotent. */
  close(): Promise<void>;
}

const maxDelayMs = 150;

/** Hands bytes on between clients and a server, and does harm to them by chance. */
export async function startFaultyProxy(options: FaultyProxyOptions): Promise<FaultyProxy> {
  const links = new Set<Link>();
  const server = net.createServer((client) => {
    const link: Link = new Link(client, options, () => links.delete(link));
    links.add(link);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a proxy listens on a port');
  const cut = () => {
    for (const link of links) link.end();
  };
  const close = async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    cut();
    await closed;
  };
  return { url: new URL(`http://127.0.0.1:${address.port}`), cut, close };
}

/** One connection of a client, and the one to the server that belongs to it. */
class Link {
  readonly #client: net.Socket;
  readonly #server: net.Socket;
  readonly #options: FaultyProxyOptions;
  readonly #onEnd: () => void;
  #isStream = false;
  #losesReply = false;
  #isOver = false;

  constructor(client: net.Socket, options: FaultyProxyOptions, onEnd: () => void) {
    this.#client = client;
    this.#options = options;
    this.#onEnd = onEnd;
    this.#server = net.connect(options.target(), '127.0.0.1');
    for (const socket of [this.#client, this.#server])
      socket
        .setNoDelay()
        .on('error', () => this.end())
        .on('close', () => this.end());
    this.#pump(this.#client, (piece) => this.#request(piece));
    this.#pump(this.#server, (piece) => this.#reply(piece));
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.onCut(this.#isStream);
    this.#client.destroy();
    this.#server.destroy();
    this.#onEnd();
  }

  /** One piece after the other, so that one that is late holds up what follows. */
  #pump(from: net.Socket, pass: (piece: Buffer) => void): void {
    from.on('data', (piece) => {
      const isLate = this.#happens('delay');
      if (!isLate) return pass(piece);
      from.pause();
      systemClock.sleep(this.#options.random() * maxDelayMs).then(() => {
        if (!this.#isOver) pass(piece);
        from.resume();
      });
    });
  }

  #request(piece: Buffer): void {
    if (piece.includes('GET /lock/subscribe')) this.#isStream = true;
    if (this.#happens('loseRequest')) {
      this.end();
      return;
    }
    this.#losesReply ||= this.#happens('loseReply');
    const isSevered = this.#happens('sever');
    this.#server.write(piece, () => {
      if (isSevered) this.end();
    });
  }

  #reply(piece: Buffer): void {
    if (this.#losesReply || (this.#isStream && this.#happens('loseReply'))) {
      this.end();
      return;
    }
    this.#client.write(piece);
    this.#options.onReply?.(piece);
  }

  #happens(fault: keyof Faults): boolean {
    return this.#options.random() < this.#options.faults()[fault];
  }
}
