import { createContext, Script } from 'node:vm';
import { Refusal } from '../refusal.ts';

export type Pattern = (text: string) => boolean;

/** Go's expressions take time in proportion to the text; ours may take for ever, so they are given little. */
const maxMs = 250;
const script = new Script('pattern.test(text)');

/**
 * A regular expression of Go's, as far as ours agree with them. One that cannot be read fits nothing, as in containerd.
 *
 * @throws Refusal `invalidArgument`, when it is used, for one that takes too long
 */
export function patternOf(source: string): Pattern {
  const pattern = compile(source);
  if (!pattern) return () => false;
  const context = createContext({ pattern, text: '' });
  return (text) => {
    context['text'] = text;
    try {
      return script.runInContext(context, { timeout: maxMs }) === true;
    } catch {
      throw new Refusal('invalidArgument', 'a regular expression of the filter takes too long');
    }
  };
}

/** Go writes flags into the expression. */
function compile(source: string): RegExp | undefined {
  const [head = '', flags = ''] = /^\(\?([ims]+)\)/.exec(source) ?? [];
  try {
    return new RegExp(source.slice(head.length), `u${[...new Set(flags)].join('')}`);
  } catch {
    return undefined;
  }
}
