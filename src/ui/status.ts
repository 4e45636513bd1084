import { shortDigest } from '../core/digest.ts';
import type { ResourceView, Source } from '../lock/locks.ts';
import { holding, progressOf, someNodes } from './status-text.ts';
import { renderTree } from './status-tree.ts';
import { renderTable } from './table.ts';
import { formatDuration, oneLine } from './text.ts';

export interface StatusOptions {
  /** One resource in full instead of a table; where several stores know it, as a tree. */
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
  if (detail) return renderOne(resources);
  const head = ['DIGEST', 'STATE', 'HOLDER', 'SINCE', 'PROGRESS', 'QUEUE'];
  return renderTable(head, resources.map(row));
}

function renderOne(views: readonly ResourceView[]): string {
  const [first, second] = views;
  return first && second ? renderTree(first.resourceId, views) : views.map(renderDetail).join('\n');
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
    queue.length > 0 ? someNodes(queue) : none,
  ];
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
