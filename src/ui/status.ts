import { shortDigest } from '../core/digest.ts';
import type { ResourceView, Source } from '../lock/locks.ts';
import { renderTable } from './table.ts';
import { formatBytesOf, formatDuration, oneLine } from './text.ts';

export interface StatusOptions {
  /** One resource in full instead of a table. */
  readonly detail: boolean;
  /** Where was asked. */
  readonly config: { readonly servers: readonly URL[]; readonly store: string };
}

/** The text of `status`. `resources` is undefined when nobody coordinates the store. */
export async function renderStatus(
  resources: readonly ResourceView[] | undefined,
  { detail, config }: StatusOptions,
): Promise<string> {
  if (!resources) return `nobody coordinates the store ${oneLine(config.store)}: no pull is running on it`;
  if (resources.length === 0) return 'no layer is held or waited for';
  if (detail) return resources.map(renderDetail).join('\n\n');
  const head = ['DIGEST', 'STATE', 'HOLDER', 'SINCE', 'PROGRESS', 'QUEUE'];
  return renderTable(head, resources.map(row));
}

/** The document of `status --json`: `docs/json.md`. */
export function statusDocument(resources: readonly ResourceView[] | undefined, wallMs: number): object {
  return {
    coordinated: resources !== undefined,
    resources: (resources ?? []).map((view) => resourceDocument(view, wallMs)),
  };
}

export type ResourceState =
  | 'downloading'
  | 'updating'
  | 'deleting'
  | 'waiting'
  | 'failed'
  | 'complete'
  | 'idle';

export function stateOf({ holder, queue, copies, lastError }: ResourceView): ResourceState {
  if (holder) return holding[holder.type];
  if (queue.length > 0) return 'waiting';
  if (copies.length > 0) return 'complete';
  return lastError ? 'failed' : 'idle';
}

const holding = { pull: 'downloading', update: 'updating', delete: 'deleting' } as const;

function resourceDocument(view: ResourceView, wallMs: number): object {
  const { resourceId, domain, holder, queue, copies, lastError } = view;
  return {
    digest: resourceId,
    domain,
    state: stateOf(view),
    holder: holder
      ? {
          ...holder,
          heldMs: Math.round(holder.heldMs),
          since: new Date(wallMs - holder.heldMs).toISOString(),
        }
      : null,
    queue: queue.map((place) => ({ ...place, waitingMs: Math.round(place.waitingMs) })),
    copies: copies.map((copy) => ({ ...copy, ageMs: Math.round(copy.ageMs) })),
    lastError: lastError ? { ...lastError, ageMs: Math.round(lastError.ageMs) } : null,
  };
}

function row(view: ResourceView): string[] {
  const { resourceId, holder, queue } = view;
  const none = '-';
  return [
    shortDigest(resourceId),
    stateOf(view),
    holder ? oneLine(holder.nodeId) : none,
    holder ? formatDuration(holder.heldMs) : none,
    holder ? progressOf(holder) : none,
    queue.length > 0 ? nodes(queue) : none,
  ];
}

/** Names of the first three, and how many more. */
function nodes(list: readonly { readonly nodeId: string }[]): string {
  const names = list.slice(0, 3).map(({ nodeId }) => oneLine(nodeId));
  const more = list.length > 3 ? [`+${list.length - 3}`] : [];
  return [...names, ...more].join(', ');
}

function progressOf({ offset, total }: { readonly offset: number; readonly total: number }): string {
  if (total <= 0) return 'unknown';
  return `${formatBytesOf(offset, total)} (${Math.floor((offset / total) * 100)}%)`;
}

function sourceOf(source: Source): string {
  if (source.kind === 'registry') return 'the registry';
  const what = source.complete ? 'its copy' : 'while it downloads';
  return `${oneLine(source.nodeId)} (${what}, ${oneLine(source.url)})`;
}

function renderDetail(view: ResourceView): string {
  const { resourceId, domain, holder, queue, copies, lastError } = view;
  const waiting = queue.map(
    ({ position, nodeId, waitingMs }) => `${position}. ${oneLine(nodeId)} (for ${formatDuration(waitingMs)})`,
  );
  const finished = copies.map(
    ({ nodeId, ageMs, url }) =>
      `${oneLine(nodeId)} (${formatDuration(ageMs)} ago${url === undefined ? '' : `, ${oneLine(url)}`})`,
  );
  const failure = lastError && `${oneLine(lastError.nodeId)}, ${formatDuration(lastError.ageMs)} ago:`;
  const fields: [string, string][] = [
    ['state', stateOf(view)],
    ['holder', holder ? oneLine(holder.nodeId) : '-'],
    ['since', holder ? `${formatDuration(holder.heldMs)} ago` : '-'],
    ['progress', holder ? progressOf(holder) : '-'],
    ...(holder?.source ? [['reads from', sourceOf(holder.source)] satisfies [string, string]] : []),
    ['queue', waiting.join(', ') || '-'],
    ['copies', finished.join(', ') || '-'],
    ['last error', lastError ? `${failure} ${oneLine(lastError.message)}` : '-'],
    ['domain', oneLine(domain)],
  ];
  return [resourceId, ...fields.map(([name, value]) => `  ${name.padEnd(12)}${value}`)].join('\n');
}
