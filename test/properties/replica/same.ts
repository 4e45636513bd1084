import { isDeepStrictEqual } from 'node:util';

export function checkSame(problem: string, one: unknown, other: unknown): void {
  if (isDeepStrictEqual(one, other)) return;
  const [first = '', second = ''] = [one, other].map((value) =>
    typeof value === 'string' ? value : JSON.stringify(value),
  );
  let at = 0;
  while (at < first.length && first[at] === second[at]) at += 1;
  const near = (text: string) => text.slice(Math.max(0, at - 60), at + 60);
  throw new Error(`${problem}, at ${at}:\n${near(first)}\n${near(second)}`);
}
