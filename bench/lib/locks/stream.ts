import http from 'node:http';
import { createEventReader, type StreamEvent } from './event-reader.ts';

export interface StreamListener {
  onEvent(event: StreamEvent): void;
  /** Once, when the stream ends without having been closed here. */
  onBroken(): void;
}

export interface EventStream {
  close(): void;
}

/** Any other answer than a stream. */
export class StreamRefused extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`the stream was refused with status ${status}`);
    this.status = status;
  }
}

const agent = new http.Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });

/** Resolves once the answer begins. @throws StreamRefused, and what the connection failed with */
export function openStream(url: string, listener: StreamListener): Promise<EventStream> {
  return new Promise((resolve, reject) => {
    let isClosed = false;
    const request = http.get(url, { agent, headers: { accept: 'text/event-stream' } }, (response) => {
      if (response.statusCode !== 200) {
        request.destroy();
        return reject(new StreamRefused(response.statusCode ?? 0));
      }
      response.setEncoding('utf8').on('data', createEventReader(listener.onEvent));
      response.on('error', () => {}).once('close', () => isClosed || listener.onBroken());
      resolve({
        close: () => {
          isClosed = true;
          request.destroy();
        },
      });
    });
    // After the answer began this settles nothing any more.
    request.on('error', reject);
  });
}
