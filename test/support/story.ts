import type { LogLine } from './log-lines.ts';

/** What the logs of a scenario show, for people: each step with the line that shows it. */
export interface Story {
  /** Notes that this line, or each of these, shows it. */
  shows(what: string, who: string, lines: LogLine | readonly LogLine[]): void;
  /** Notes something that no single line shows. */
  tells(what: string): void;
}

const hidden = new Set(['level', 'time', 'msg', 'session', 'domain']);

/** Prints each step as it comes. */
export function startStory(title: string, logsDir: string): Story {
  const print = (text: string) => void process.stdout.write(`${text}\n`);
  print(`\n${title} (logs: ${logsDir})`);
  return {
    shows(what, who, lines) {
      for (const line of [lines].flat())
        print(`  ${what}: ${line.time.slice(11, 23)} ${who} ${textOf(line)}`);
    },
    tells: (what) => print(`  ${what}`),
  };
}

function textOf(line: LogLine): string {
  const fields = Object.entries(line).filter(([name]) => !hidden.has(name));
  return [line.msg, ...fields.map(([name, value]) => `${name}=${shortened(value)}`)].join(' ');
}

function shortened(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.replaceAll(/sha256:([0-9a-f]{8})[0-9a-f]{56}/g, 'sha256:$1…');
}
