import type { RepairResult } from '../orchestrator/repair.ts';
import type { Problem } from '../orchestrator/verify.ts';
import { formatBytes, oneLine, plural } from './text.ts';

/** A line for each problem, then the sum. */
export function renderVerified({ images, blobs, bytes, problems, repaired }: RepairResult): string {
  const read = `${plural(images, 'image')}, ${plural(blobs, 'blob')}, ${formatBytes(bytes)} read`;
  const left = problems.length === 0 ? 'nothing is wrong' : plural(problems.length, 'problem');
  return [
    ...repaired.map((problem) => `repaired: ${wordsFor(problem)}`),
    ...problems.map(wordsFor),
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

function neededBy(images: readonly string[]): string {
  return images.length > 0 ? `, needed by ${listed(images)}` : ', needed by no image';
}

function listed(images: readonly string[]): string {
  const shown = images.slice(0, 3).map(oneLine).join(', ');
  return images.length > 3 ? `${shown} and ${images.length - 3} more` : shown;
}

function adviceFor(problems: readonly Problem[]): string[] {
  if (problems.length === 0) return [];
  const isLeft = problems.every(({ kind }) => kind === 'missing');
  return [
    isLeft
      ? 'to bring back what is missing: layerpull pull NAME'
      : 'to mend the store: layerpull verify --repair, then pull what is missing',
  ];
}

/** The document of `verify --json`: `docs/json.md`. */
export function verifiedDocument(store: string, { problems, repaired, ...sums }: RepairResult): object {
  const documentOf = (problem: Problem) => ({ ...problem, message: wordsFor(problem) });
  return { store, ...sums, problems: problems.map(documentOf), repaired: repaired.map(documentOf) };
}
