import { Refusal } from '../refusal.ts';

export interface Token {
  readonly kind: 'field' | 'value' | 'quoted' | 'separator' | 'operator' | 'end' | 'illegal';
  readonly text: string;
}

const space = /\s/u;
const quote = /["/|]/;
const operator = /[=!~]/;
const separator = /[,.]/;
const field = /[A-Za-z0-9_-]/;
/** What is no space, no comma and no control character. */
const value = /[^\s,\p{C}]/u;

/** Cuts a filter into its parts. */
export class Scanner {
  readonly #input: string;
  #position = 0;

  constructor(input: string) {
    this.#input = input;
  }

  /** The next character as it stands; empty at the end. */
  peek(): string {
    return this.#at(this.#position);
  }

  next(): Token {
    this.#skip(space);
    const first = this.peek();
    if (first === '') return { kind: 'end', text: '' };
    if (quote.test(first)) return this.#quoted(first);
    if (separator.test(first)) return this.#token('separator', this.#position + 1);
    if (operator.test(first)) return this.#run('operator', operator);
    return field.test(first) ? this.#run('field', field) : { kind: 'illegal', text: first };
  }

  /** What may stand behind an operator. */
  nextValue(): Token {
    this.#skip(space);
    const first = this.peek();
    if (first === '') return { kind: 'end', text: '' };
    if (quote.test(first)) return this.#quoted(first);
    if (separator.test(first) || operator.test(first) || !value.test(first))
      return { kind: 'illegal', text: first };
    return this.#run('value', value);
  }

  wrong(problem: string): Refusal {
    const shown = JSON.stringify(this.#input.slice(0, 160));
    return new Refusal(
      'invalidArgument',
      `filter ${shown}, near character ${this.#position + 1}: ${problem}`,
    );
  }

  /** To the next quote of the same kind that no backslash stands before. */
  #quoted(mark: string): Token {
    let end = this.#position + 1;
    while (this.#at(end) !== mark) {
      if (this.#at(end) === '' || this.#at(end) === '\n') return { kind: 'illegal', text: mark };
      end += this.#at(end) === '\\' ? 1 + this.#at(end + 1).length : this.#at(end).length;
    }
    return this.#token('quoted', end + 1);
  }

  #run(kind: Token['kind'], allowed: RegExp): Token {
    const start = this.#position;
    this.#skip(allowed);
    return { kind, text: this.#input.slice(start, this.#position) };
  }

  #token(kind: Token['kind'], end: number): Token {
    const text = this.#input.slice(this.#position, end);
    this.#position = end;
    return { kind, text };
  }

  #skip(allowed: RegExp): void {
    while (this.peek() !== '' && allowed.test(this.peek())) this.#position += this.peek().length;
  }

  /** A whole character, also one of two units. */
  #at(position: number): string {
    const code = this.#input.codePointAt(position);
    return code === undefined ? '' : String.fromCodePoint(code);
  }
}
