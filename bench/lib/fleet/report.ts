import { formatMib, formatMs, ratio } from '../numbers.ts';
import { formatTable } from '../table.ts';
import type { FleetOptions } from './options.ts';
import type { Round } from './round.ts';
import type { FleetImage } from './site.ts';

/** One line of the table: what a contender took, or why it did not get there. */
export interface Row {
  readonly name: string;
  readonly nodes: number;
  readonly result: Round | { readonly failed: string };
  /** There is something to reach. */
  readonly hasAim: boolean;
  readonly fault?: string | undefined;
}

export interface ImageRows {
  readonly image: FleetImage;
  /** One node alone. */
  readonly baseline: Round;
  readonly rows: readonly Row[];
}

const timeAim = 1.3;
const egressAim = 1.05;

/** How long the image takes over the registry's link when nothing else takes time, milliseconds. */
export function fluidBoundMs(image: FleetImage, { registryMbit }: FleetOptions): number {
  return (image.bytes * 8) / (registryMbit * 1_000);
}

export function formatRows({ image, baseline, rows }: ImageRows, options: FleetOptions): string {
  const table = formatTable([
    [image.name, 'nodes', 'last done', 'of one node', 'egress', 'of image', 'aim'],
    ...rows.map((row) => format(row, image, baseline)),
  ]);
  const bound = formatMs(fluidBoundMs(image, options));
  return `${table}fluid bound (image / link of the registry): ${bound}; aim at 8 nodes: time ${timeAim}x, egress ${egressAim}x\n${notes(rows)}${failures(rows)}\n`;
}

function format({ name, nodes, result, hasAim, fault }: Row, image: FleetImage, baseline: Round): string[] {
  const title = fault === undefined ? name : `${name}: ${fault}`;
  if ('failed' in result) return [title, String(nodes), 'FAILED', '', '', '', ''];
  const { lastMs, egressBytes } = result;
  const isMet = lastMs <= timeAim * baseline.lastMs && egressBytes <= egressAim * image.bytes;
  return [
    title,
    String(nodes),
    formatMs(lastMs),
    ratio(lastMs, baseline.lastMs),
    formatMib(egressBytes),
    ratio(egressBytes, image.bytes),
    hasAim ? (isMet ? 'met' : 'MISSED') : '',
  ];
}

/** What the registry spent on nodes that did not take it. */
function notes(rows: readonly Row[]): string {
  return rows
    .flatMap(({ name, fault, result }) => {
      if ('failed' in result || !result.frozen) return [];
      const { waitingBytes, laterBytes } = result.frozen;
      const later = `${formatMib(laterBytes)} more once it went on, when all others were done`;
      return [`${name}: ${fault}: ${formatMib(waitingBytes)} of the egress waited there unread; ${later}\n`];
    })
    .join('');
}

function failures(rows: readonly Row[]): string {
  return rows
    .flatMap(({ name, nodes, fault, result }) =>
      'failed' in result ? [`${name}, ${nodes} nodes${fault ? `, ${fault}` : ''}: ${result.failed}\n`] : [],
    )
    .join('');
}
