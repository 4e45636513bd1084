/** One request of a document, and the answer that the document promises. */
export interface Example {
  /** Line of the document, from 1, on which the command begins. */
  readonly line: number;
  readonly command: string;
  readonly status: number;
  /** Absent: an empty body. */
  readonly answer?: { readonly language: 'json' | 'text'; readonly text: string };
}

interface Block {
  readonly line: number;
  readonly language: string;
  readonly text: string;
  /** What stands between this block and the one before. */
  readonly prose: string;
}

/**
 * The examples of a Markdown document: each is a block `sh` that begins with `curl`, a paragraph after it that begins
 * with the status, and a block `json` or `text` with the body. Without such a block the body is empty.
 */
export function examplesIn(markdown: string): Example[] {
  const blocks = blocksOf(markdown);
  return blocks.flatMap((block, index) => {
    if (block.language !== 'sh' || !block.text.startsWith('curl')) return [];
    return [exampleOf(block, blocks[index + 1])];
  });
}

function exampleOf({ line, text: command }: Block, next: Block | undefined): Example {
  const status = /^\d{3}\b/m.exec(next?.prose ?? '')?.[0];
  if (!next || !status) throw new Error(`no status is told after the command in line ${line}`);
  const example = { line, command, status: Number(status) };
  const { language, text } = next;
  return language === 'json' || language === 'text' ? { ...example, answer: { language, text } } : example;
}

function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  const fence = /^```(\w*)\n([\s\S]*?)^```$/gm;
  let end = 0;
  for (const match of markdown.matchAll(fence)) {
    const [whole, language = '', text = ''] = match;
    const prose = markdown.slice(end, match.index);
    const line = markdown.slice(0, match.index).split('\n').length + 1;
    blocks.push({ line, language, text: text.trimEnd(), prose });
    end = match.index + whole.length;
  }
  return [...blocks, { line: 0, language: '', text: '', prose: markdown.slice(end) }];
}
