import * as v from 'valibot';
import type { ClusterCommand, Entry, SeatId } from './cluster.ts';
import { commandSchema } from './command-schema.ts';

/** Of the value of one key of the log: `{ format, atMs, checked, commands }` as JSON. Seat and number are in the key. */
const format = 1;

const envelope = v.object({
  format: v.literal(format),
  atMs: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  checked: v.optional(v.object({ revision: v.number(), check: v.number() })),
  commands: v.array(v.unknown()),
});

export function encodeEntry({ atMs, checked, commands }: Entry): string {
  return JSON.stringify({ format, atMs: Math.floor(atMs), checked, commands });
}

/**
 * Undefined for what no server of this format wrote; never throws. A command that is none becomes `malformed`, so that
 * it spoils nothing for those that were written along with it.
 */
export function decodeEntry(seat: SeatId, seq: number, text: string): Entry | undefined {
  const parsed = v.safeParse(envelope, jsonOf(text));
  if (!parsed.success) return undefined;
  const { atMs, checked, commands } = parsed.output;
  return { seat, seq, atMs, ...(checked && { checked }), commands: commands.map(commandOf) };
}

function commandOf(value: unknown): ClusterCommand {
  const parsed = v.safeParse(commandSchema, value, { abortEarly: true, abortPipeEarly: true });
  return parsed.success ? parsed.output : { kind: 'malformed' };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
