import { formatBytesOf, oneLine } from './text.ts';

export function progressOf({ offset, total }: { readonly offset: number; readonly total: number }): string {
  if (total <= 0) return 'unknown';
  return `${formatBytesOf(offset, total)} (${Math.floor((offset / total) * 100)}%)`;
}

/** Names of the first three, and how many more. */
export function someNodes(list: readonly { readonly nodeId: string }[]): string {
  const names = list.slice(0, 3).map(({ nodeId }) => oneLine(nodeId));
  const more = list.length > 3 ? [`+${list.length - 3}`] : [];
  return [...names, ...more].join(', ');
}

export const holding = { pull: 'downloading', update: 'updating', delete: 'deleting' } as const;
