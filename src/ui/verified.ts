import type { RepairResult } from '../orchestrator/repair.ts';
import type { Note, Problem } from '../orchestrator/verify.ts';
import { formatBytes, oneLine, plural } from './text.ts';

/** A line for each problem and note, then the sum. */
export function renderVerified({ images, blobs, bytes, problems, notes, repaired }: RepairResult): string {
  const read = `${plural(images, 'image')}, ${plural(blobs, 'blob')}, ${formatBytes(bytes)} read`;
  const left = problems.length === 0 ? 'nothing is wrong' : plural(problems.length, 'problem');
  return [
    ...repaired.map((problem) => `repaired: ${wordsFor(problem)}`),
    ...problems.map(wordsFor),
    ...notes.map((note) => `note: ${wordsForNote(note)}`),
    ...adviceFor(problems),
    `${read}: ${repaired.length > 0 ? `${repaired.length} repaired, ` : ''}${left}`,
  ].join('\n');
}

/** What a problem is, in one line. */
export function wordsFor(problem: Problem): string {
  switch (problem.kind) {
    case 'missing':
      return `${problem.digest} is missing, needed by ${listed(problem.images)}`;
    case 'wrong':
      return `${problem.digest} has other bytes: they are ${problem.found}${neededBy(problem.images)}`;
    case 'size':
      return `${problem.digest} has ${plural(problem.size, 'byte')}, not ${problem.expected} as ${listed(problem.images)} says`;
    case 'no-manifest':
      return `${problem.digest} is no manifest, and is that of ${listed(problem.images)}`;
    case 'no-file':
      return `${problem.digest} is no file${neededBy(problem.images)}`;
    case 'unreadable':
      return `${problem.digest} cannot be read: ${oneLine(problem.reason)}${neededBy(problem.images)}`;
    case 'layout':
      return `${oneLine(problem.file)} is no part of a layout: ${oneLine(problem.reason)}`;
    case 'record':
      return `${oneLine(problem.file)} is no image record: ${oneLine(problem.reason)}`;
    case 'index':
      return 'index.json does not list what images/ has';
  }
}

/** What a note says, in one line. */
export function wordsForNote({ kind, digest, images }: Note): string {
  const what =
    kind === 'foreign' ? 'a foreign layer, which registries need not have' : 'part of an attachment';
  return `${digest} is not there: ${what}, of ${listed(images)}`;
}

function neededBy(images: readonly string[]): string {
  return images.length > 0 ? `, needed by ${listed(images)}` : ', needed by no image';
}

function listed(images: readonly string[]): string {
  const shown = images.slice(0, 3).map(oneLine).join(', ');
  return images.length > 3 ? `${shown} and ${images.length - 3} more` : shown;
}

/** What only a registry can mend. */
const left: ReadonlySet<Problem['kind']> = new Set(['missing', 'size', 'no-manifest']);

function adviceFor(problems: readonly Problem[]): string[] {
  if (problems.length === 0) return [];
  const isLeft = problems.every(({ kind }) => left.has(kind));
  return [
    isLeft
      ? 'to mend the images: layerpull pull NAME'
      : 'to mend the store: layerpull verify --repair, then pull what is missing',
  ];
}

/** The document of `verify --json`: `docs/json.md`. */
export function verifiedDocument(
  store: string,
  { problems, notes, repaired, ...sums }: RepairResult,
): object {
  const documentOf = (problem: Problem) => ({ ...problem, message: wordsFor(problem) });
  return {
    store,
    ...sums,
    problems: problems.map(documentOf),
    notes: notes.map((note) => ({ ...note, message: wordsForNote(note) })),
    repaired: repaired.map(documentOf),
  };
}
