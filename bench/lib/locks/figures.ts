import { ratio } from '../numbers.ts';
import { formatTable } from '../table.ts';

/** One measured value beside what it should be and what somebody else reaches. */
export interface Figure {
  readonly name: string;
  /** Of one server with a disk of its own; undefined where it has no such thing. */
  readonly value: number | undefined;
  /** Of several servers over one etcd; undefined where etcd cannot be had. Absent: it was not measured there. */
  readonly overEtcd?: number | undefined;
  /** How a value of this figure is written. */
  readonly format: (value: number) => string;
  readonly aim?: Aim;
  readonly peer?: Peer;
  /** What one has to know to read the value. */
  readonly note?: string;
}

export interface Aim {
  readonly text: string;
  readonly isMet: (value: number, peer: number | undefined) => boolean;
}

/** Whom the value is compared with, and what it reached; no value where it cannot be had. */
export interface Peer {
  readonly name: string;
  readonly value: number | undefined;
}

export function below(bound: number, text: string): Aim {
  return { text: `< ${text}`, isMet: (value) => value < bound };
}

export function atMost(bound: number, text: string): Aim {
  return { text: `<= ${text}`, isMet: (value) => value <= bound };
}

export function atLeast(bound: number, text: string): Aim {
  return { text: `>= ${text}`, isMet: (value) => value >= bound };
}

/** And more than the peer reaches, where there is one. */
export function aheadOfPeer(aim: Aim): Aim {
  return {
    text: `${aim.text}, > peer`,
    isMet: (value, peer) => aim.isMet(value, peer) && (peer === undefined || value > peer),
  };
}

/** A table, and below it the notes. */
export function formatFigures(figures: readonly Figure[]): string {
  const hasCluster = figures.some((figure) => 'overEtcd' in figure);
  const heading = ['figure', 'measured', ...(hasCluster ? ['over etcd'] : []), 'aim', '', 'peer', 'of peer'];
  const notes = figures.flatMap(({ name, note }) => (note === undefined ? [] : [`${name}: ${note}\n`]));
  return (
    formatTable([heading, ...figures.map((figure) => rowOf(figure, hasCluster))]) +
    (notes.length > 0 ? `\n${notes.join('')}` : '')
  );
}

function rowOf(figure: Figure, hasCluster: boolean): string[] {
  const { name, value, format, aim, peer } = figure;
  const reached = peer?.value;
  return [
    name,
    value === undefined ? '' : format(value),
    ...(hasCluster ? [clusterCell(figure)] : []),
    aim?.text ?? '',
    aim && value !== undefined ? `aim ${aim.isMet(value, reached) ? 'met' : 'missed'}` : '',
    peer ? `${peer.name} ${reached === undefined ? 'not installed' : format(reached)}` : '',
    reached && value !== undefined ? ratioText(value, reached) : '',
  ];
}

function clusterCell(figure: Figure): string {
  if (!('overEtcd' in figure)) return '';
  return figure.overEtcd === undefined ? 'etcd not installed' : figure.format(figure.overEtcd);
}

function ratioText(value: number, reached: number): string {
  return value < reached / 100 ? 'under 0.01x' : ratio(value, reached);
}
