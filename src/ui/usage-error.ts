import { LayerpullError, messageOf } from '../core/errors.ts';
import { closest } from './suggest.ts';

export interface UsageContext {
  /** How to get help, such as `layerpull pull --help`. */
  readonly help: string;
  /** Flags that exist here, with their dashes. */
  readonly flags?: readonly string[];
  /** Commands that exist. */
  readonly commands?: readonly string[];
}

/** What the command-line parser throws, recognised by its fields because bundled class names are shortened. */
interface ParserError extends Error {
  readonly oclif: unknown;
  readonly flags?: unknown;
  readonly args?: unknown;
}

/** The parser's error as one clear line; undefined when it is not the parser's. */
export function toUsageError(error: unknown, context: UsageContext): LayerpullError | undefined {
  if (!isParserError(error)) return undefined;
  const unknownCommand = /^command (.+) not found\.?$/i.exec(error.message)?.[1];
  if (unknownCommand !== undefined)
    return unknown('command', unknownCommand, context.commands ?? [], context);
  const flags = textsOf(error.flags);
  if (flags[0] !== undefined) return unknown('flag', flags[0], context.flags ?? [], context);
  const missing = namesOf(error.args);
  if (missing.length > 0) return usage(`missing ${missing.join(' and ')}`, context);
  const unexpected = textsOf(error.args);
  if (unexpected.length > 0) return usage(`unexpected argument "${unexpected.join(' ')}"`, context);
  return usage(cleanMessage(error), context);
}

function isParserError(error: unknown): error is ParserError {
  return error instanceof Error && 'oclif' in error;
}

function unknown(
  what: string,
  word: string,
  known: readonly string[],
  context: UsageContext,
): LayerpullError {
  const near = closest(word, known);
  const hint = near ? `did you mean ${near}? See ${context.help}` : `see ${context.help}`;
  return new LayerpullError('usage', `unknown ${what} "${word}"`, { hint });
}

function usage(message: string, context: UsageContext): LayerpullError {
  return new LayerpullError('usage', message, { hint: `see ${context.help}` });
}

/** `Expected --x=1 to be one of: a, b` on one line, without oclif's own pointer to the help. */
function cleanMessage(error: Error): string {
  const text = messageOf(error).replace(/\s*See more help with --help\s*/g, '');
  const choice = /^Expected (--[\w-]+)=(.*) to be one of: (.*)$/.exec(text);
  if (choice) return `${choice[1]}: "${choice[2]}" is not known, choose one of ${choice[3]}`;
  const parsed = /^Parsing (--[\w-]+) (.*)$/.exec(text);
  if (parsed) return `${parsed[1]}: ${lowerFirst(parsed[2] ?? '')}`;
  const value = /^Flag (--[\w-]+) expects (?:a value|one of these values: (.*))$/.exec(text);
  if (value) return `${value[1]} needs a value${value[2] ? `: one of ${value[2]}` : ''}`;
  return text;
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function namesOf(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((item: unknown) =>
    typeof item === 'object' && item !== null && 'name' in item ? [String(item.name).toUpperCase()] : [],
  );
}
