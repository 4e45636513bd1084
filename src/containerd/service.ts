import type { ShelfEntry } from '../store/shelf.ts';
import { type Catalog, digestIn, notFound } from './catalog.ts';
import { fieldsOfContent, fieldsOfIngest } from './filters/fields.ts';
import { parseFilters } from './filters/parse.ts';
import type { OpenBlobs } from './open-blobs.ts';
import {
  type DigestRequest,
  type FilterRequest,
  type InfoMessage,
  type InfoResponse,
  type ListResponse,
  type ReadRequest,
  type ReadResponse,
  type RefRequest,
  type StatusesResponse,
  type StatusMessage,
  type StatusResponse,
  toTimestamp,
  type UpdateRequest,
} from './proto/messages.ts';
import type { Progress } from './ref-writer.ts';
import { Refusal } from './refusal.ts';
import { lengthOf } from './write-session.ts';
import type { Writers } from './writers.ts';

export interface ServiceParts {
  readonly catalog: Catalog;
  readonly open: OpenBlobs;
  readonly writers: Writers;
}

/** Entries of one message of List. */
const listed = 100;
/** Bytes of one message of Read. */
const pieceBytes = 1_048_576;

/** The calls of the content service but Write, apart from gRPC. */
export class ContentCalls {
  readonly #parts: ServiceParts;

  constructor(parts: ServiceParts) {
    this.#parts = parts;
  }

  async info({ digest: text }: DigestRequest): Promise<InfoResponse> {
    const digest = digestIn(text);
    const entry = await this.#parts.catalog.find(digest);
    if (!entry) throw notFound(digest);
    return { info: toInfo(entry) };
  }

  async update({ info, updateMask }: UpdateRequest): Promise<InfoResponse> {
    if (!info) throw new Refusal('invalidArgument', 'nothing says what to update');
    const change = { labels: info.labels, paths: updateMask?.paths ?? [] };
    return { info: toInfo(await this.#parts.catalog.update(digestIn(info.digest), change)) };
  }

  async *list({ filters }: FilterRequest): AsyncIterable<ListResponse> {
    const isWanted = parseFilters(filters);
    let info: InfoMessage[] = [];
    for (const entry of [...this.#parts.catalog.entries()]) {
      if (isWanted(fieldsOfContent(entry))) info.push(toInfo(entry));
      if (info.length < listed) continue;
      yield { info };
      info = [];
    }
    if (info.length > 0) yield { info };
  }

  async delete({ digest: text }: DigestRequest): Promise<object> {
    const digest = digestIn(text);
    await this.#parts.catalog.delete(digest);
    this.#parts.open.forget(digest);
    return {};
  }

  async *read({ digest: text, offset: start, size }: ReadRequest): AsyncIterable<ReadResponse> {
    const digest = digestIn(text);
    const entry = await this.#parts.catalog.find(digest);
    if (!entry) throw notFound(digest);
    const offset = start > 0 ? lengthOf(start, 'offset') : 0;
    if (offset > entry.size) {
      throw new Refusal('outOfRange', `read past the end of ${digest}: it has ${entry.size} bytes`);
    }
    const end = size > 0 ? Math.min(offset + size, entry.size) : entry.size;
    for (let at = offset; at < end; ) {
      const bytes = Math.min(pieceBytes, end - at);
      const position = at;
      const data = await this.#parts.open.use(digest, (blob) => blob.read(position, bytes));
      yield { offset: at, data };
      at += bytes;
    }
  }

  async status({ ref }: RefRequest): Promise<StatusResponse> {
    return { status: toStatus(this.#parts.writers.status(ref)) };
  }

  async listStatuses({ filters }: FilterRequest): Promise<StatusesResponse> {
    const isWanted = parseFilters(filters);
    const wanted = this.#parts.writers.statuses().filter((one) => isWanted(fieldsOfIngest(one)));
    return { statuses: wanted.map(toStatus) };
  }

  async abort({ ref }: RefRequest): Promise<object> {
    await this.#parts.writers.abort(ref);
    return {};
  }
}

function toInfo({ digest, size, labels, createdAtMs, updatedAtMs }: ShelfEntry): InfoMessage {
  return { digest, size, labels, createdAt: toTimestamp(createdAtMs), updatedAt: toTimestamp(updatedAtMs) };
}

function toStatus({ ref, offset, total, expected, startedAtMs, updatedAtMs }: Progress): StatusMessage {
  return {
    ref,
    offset,
    total,
    expected: expected ?? '',
    startedAt: toTimestamp(startedAtMs),
    updatedAt: toTimestamp(updatedAtMs),
  };
}
