type Options = Readonly<Record<string, number | boolean>>;

/** What of the options a server is told, as people know it; all else follows from these. */
const words: Readonly<Record<string, (value: number | boolean) => string>> = {
  ttlMs: (ms) => `a session TTL of ${seconds(ms)}`,
  stallMs: (ms) => `a stall timeout of ${seconds(ms)}`,
  nodeGraceMs: (ms) => `a sessionless grace of ${seconds(ms)}`,
  leaseMs: (ms) => `a sessionless lease of ${seconds(ms)}`,
  fanOut: (count) => `a fan-out of ${count}`,
  queueing: (isOn) => (isOn ? 'a queue' : 'no queue'),
};

/** Their values of the options `names`, which differ from ours. */
export function boundsInWords(names: readonly string[], theirs: Options): string {
  const told = names.flatMap((name) => {
    const value = theirs[name];
    return value === undefined ? [] : (words[name]?.(value) ?? []);
  });
  if (told.length > 0) return told.join(', ');
  return names.map((name) => `${name} ${theirs[name] ?? 'unknown'}`).join(', ');
}

function seconds(ms: number | boolean): string {
  return `${Number(ms) / 1_000} s`;
}
