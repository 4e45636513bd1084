import { Refusal } from '../refusal.ts';

/** One message in the pieces in which it came. Nobody changes them, and none is empty. */
export type Message = readonly Buffer[];

/** Of a message: whether it is compressed, one byte, and its length, four bytes. */
const headBytes = 5;

/**
 * Messages as gRPC sends them over HTTP/2 (`Length-Prefixed-Message`), however they are cut. No byte is copied: large
 * buffers that live for a moment cost more than what is done with them.
 */
export class Frames {
  readonly #maxBytes: number;
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** Bytes of the message that is under way. */
  #wanted: number | undefined;

  /** @param maxBytes of one message */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether everything that came was a message. */
  get isEmpty(): boolean {
    return this.#bytes === 0 && this.#wanted === undefined;
  }

  add(piece: Buffer): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#bytes += piece.length;
  }

  /** @throws Refusal `resourceExhausted` for one that is too large, `unimplemented` for one that is compressed */
  next(): Message | undefined {
    this.#wanted ??= this.#readHead();
    if (this.#wanted === undefined || this.#bytes < this.#wanted) return undefined;
    const message = this.#take(this.#wanted);
    this.#wanted = undefined;
    return message;
  }

  #readHead(): number | undefined {
    if (this.#bytes < headBytes) return undefined;
    const head = joined(this.#take(headBytes));
    if (head.readUInt8(0) !== 0) throw new Refusal('unimplemented', 'compressed messages are not understood');
    const length = head.readUInt32BE(1);
    if (length <= this.#maxBytes) return length;
    throw new Refusal(
      'resourceExhausted',
      `a message of ${length} bytes is larger than ${this.#maxBytes} bytes`,
    );
  }

  #take(bytes: number): Message {
    this.#bytes -= bytes;
    let count = 0;
    let left = bytes;
    for (const piece of this.#pieces) {
      if (left < piece.length) break;
      left -= piece.length;
      count += 1;
    }
    const taken = this.#pieces.splice(0, count);
    const [cut] = this.#pieces;
    if (left > 0 && cut) {
      taken.push(cut.subarray(0, left));
      this.#pieces[0] = cut.subarray(left);
    }
    return taken;
  }
}

export function joined(message: Message): Buffer {
  const [only] = message;
  return message.length === 1 && only ? only : Buffer.concat(message);
}

/** A message as it goes over the wire. */
export function framed(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(headBytes + message.length);
  frame.writeUInt8(0, 0);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, headBytes);
  return frame;
}
