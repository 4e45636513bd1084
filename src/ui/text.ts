import prettyBytes from 'pretty-bytes';

/** `4.21 MiB`: three significant digits. */
export function formatBytes(bytes: number): string {
  return prettyBytes(bytes, { binary: true });
}

/** `12.3/40 MiB`: both in the unit of the whole. */
export function formatBytesOf(done: number, total: number): string {
  const exponent = total < 1 ? 0 : Math.min(4, Math.floor(Math.log(total) / Math.log(1024)));
  const unit = ['B', 'KiB', 'MiB', 'GiB', 'TiB'][exponent] ?? 'B';
  const inUnit = (bytes: number) => threeDigits(bytes / 1024 ** exponent);
  return `${inUnit(done)}/${inUnit(total)} ${unit}`;
}

function threeDigits(value: number): number {
  return value >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

/** `0.4 s`, `12.3 s`, `4 min 5 s`, `2 h 3 min`. */
export function formatDuration(ms: number): string {
  const tenths = Math.round(Math.max(0, ms) / 100);
  if (tenths < 600) return `${tenths / 10} s`;
  const seconds = Math.round(tenths / 10);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
}

const notForTerminals =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to keep away from terminals
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+/g;

/**
 * Text from a registry, a lock server or a user as it may stand on one line of a terminal: control characters, which
 * could move the cursor or fake other lines, and those that turn the direction of the text after them become blanks.
 */
export function oneLine(text: string): string {
  return text.replace(notForTerminals, ' ').trim();
}

/** At most `columns` characters, the last one an ellipsis where something is missing. Expects no colour codes. */
export function truncate(text: string, columns: number): string {
  const characters = [...text];
  if (characters.length <= columns) return text;
  return columns < 1 ? '' : `${characters.slice(0, columns - 1).join('')}…`;
}

/** `1 layer`, `3 layers`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
