import { createParser, type EventSourceMessage } from 'eventsource-parser';

/** One event of a stream as in the HTML standard, section "Server-sent events". */
export interface ServerSentEvent {
  /** Absent: an unnamed event. */
  readonly event?: string | undefined;
  readonly id?: string | undefined;
  readonly data: string;
}

export interface EventStreamOptions {
  /** Longest event, in characters. Default 1 Mi: a snapshot of a thousand layers takes a third of it. */
  readonly maxEventLength?: number;
  /** Hears how many milliseconds the server asks to wait before coming back. */
  readonly onRetry?: (ms: number) => void;
}

/**
 * Reads the events of a response body, however its bytes are cut. Ends with the body; an event that the end cuts
 * short is dropped, as the standard says.
 * @throws Error when an event is longer than allowed; and whatever the body throws
 */
export async function* readEvents(
  body: AsyncIterable<Uint8Array>,
  options: EventStreamOptions = {},
): AsyncGenerator<ServerSentEvent, void, undefined> {
  const maxBufferSize = options.maxEventLength ?? 1_048_576;
  const decoder = new TextDecoder();
  let events: EventSourceMessage[] = [];
  let tooLong: Error | undefined;
  const parser = createParser({
    maxBufferSize,
    onEvent: (event) => events.push(event),
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') tooLong = error;
    },
    ...(options.onRetry ? { onRetry: options.onRetry } : {}),
  });
  for await (const bytes of body) {
    parser.feed(decoder.decode(bytes, { stream: true }));
    const ready = events;
    events = [];
    yield* ready;
    if (tooLong) throw new Error(`an event is longer than ${maxBufferSize} characters`, { cause: tooLong });
  }
}
