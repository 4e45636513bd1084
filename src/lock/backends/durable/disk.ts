import { open, type RootDatabase } from 'lmdb';
import * as v from 'valibot';
import { isLayerpullError, LayerpullError, messageOf } from '../../../core/errors.ts';
import type { Token } from '../../../core/ids.ts';
import { unusable } from './directory.ts';
import { format, metaSchema, type RecordKey } from './records.ts';
import type { Stored } from './restore.ts';
import type { Write } from './writes.ts';

/** The records of one server in an LMDB database, which syncs every commit. */
export interface Disk {
  /** Whether nobody wrote here before. */
  readonly isNew: boolean;
  /** Above all tokens that were given out; undefined where nobody wrote yet. */
  readonly nextToken: Token | undefined;
  /** All records but the format, in the order of their keys. */
  records(): Iterable<Stored>;
  /** All of these or none, on the disk once it settles. @throws LayerpullError `data_failed` */
  write(writes: Iterable<Write>): Promise<void>;
  close(): Promise<void>;
}

type Key = (string | number)[];
type Database = RootDatabase<unknown, Key>;

const metaKey: RecordKey = ['meta'];

/** @throws LayerpullError `data_unusable` for data that is damaged or of a newer format */
export function openDisk(directory: string): Disk {
  const database = openDatabase(directory);
  const meta = readMeta(database, directory);
  return {
    isNew: meta === undefined,
    nextToken: meta?.nextToken,
    records: () => readRecords(database, directory),
    async write(writes) {
      try {
        await database.batch(() => {
          for (const { key, value } of writes) apply(database, key, value);
        });
      } catch (error) {
        throw await failed(directory, error);
      }
    },
    close: () => database.close(),
  };
}

function openDatabase(directory: string): Database {
  try {
    return open<unknown, Key>({
      path: directory,
      encoding: 'json',
      // A write is done when it is on the disk, and not when it is only on its way there.
      overlappingSync: false,
    });
  } catch (error) {
    throw unusable(directory, error);
  }
}

function* readRecords(database: Database, directory: string): Generator<Stored, void, undefined> {
  try {
    for (const { key, value } of database.getRange({})) {
      if (key[0] !== metaKey[0]) yield { key: key as unknown as RecordKey, value };
    }
  } catch (error) {
    throw isLayerpullError(error) ? error : unusable(directory, error);
  }
}

function readMeta(database: Database, directory: string): { readonly nextToken: Token } | undefined {
  const value = database.get([...metaKey]);
  if (value === undefined) return undefined;
  const parsed = v.safeParse(metaSchema, value);
  if (parsed.success && parsed.output.format === format) return parsed.output;
  const found = parsed.success ? `format ${parsed.output.format}` : 'an unknown format';
  throw unusable(directory, `it is of ${found}, and this version reads format ${format}`);
}

function apply(database: Database, key: RecordKey, value: object | undefined): void {
  // The batch tells how they end.
  if (value === undefined) void database.remove([...key]);
  else void database.put([...key], value);
}

async function failed(directory: string, error: unknown): Promise<LayerpullError> {
  const cause = await causeOf(error);
  // LMDB goes on with addresses that help nobody.
  const [problem] = messageOf(cause).split(': Attempting');
  return new LayerpullError('data_failed', `cannot write to the data directory ${directory}: ${problem}`, {
    hint: 'see whether the disk is full or broken; the lock server stops, for what it cannot keep it must not promise',
    cause,
  });
}

/** LMDB rejects with a promise of the reason. */
async function causeOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !('commitError' in error)) return error;
  return await Promise.resolve(error.commitError).catch((reason: unknown) => reason);
}
