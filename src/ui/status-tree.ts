import type { HolderView, ResourceView, Source } from '../lock/locks.ts';
import { holding, progressOf, someNodes } from './status-text.ts';
import { formatDuration, oneLine } from './text.ts';

/** A line of the tree, and where it hangs. */
interface Entry {
  /** By which others name it as their source; empty: they cannot. */
  readonly key: string;
  readonly name: string;
  readonly text: string;
  /** Absent: it stands by itself. */
  readonly source?: Source | undefined;
}

/** One layer in several stores: who reads it from whom, from the registry and from complete copies on. */
export function renderTree(resourceId: string, views: readonly ResourceView[]): string {
  const entries = views.flatMap(entriesOf).sort(byName);
  const children = groupBySource(entries);
  const drawn = new Set<Entry>();
  // All entries come last, so that those of a circle are not missing.
  const tops = [...sourcesOutside(entries), ...entries.filter(({ source }) => !source), ...entries];
  const lines = tops.flatMap((top) => draw(top, children, drawn));
  return [resourceId, `  ${countsOf(views)}`, '', ...lines.map((line) => `  ${line}`)].join('\n');
}

/** Its line and those of all that read from it; none where it was drawn before. */
function draw(entry: Entry, children: Children, drawn: Set<Entry>): string[] {
  if (drawn.has(entry)) return [];
  drawn.add(entry);
  const below = entry.key === '' ? [] : (children.get(entry.key) ?? []);
  const branches = below.map((child) => draw(child, children, drawn)).filter((lines) => lines.length > 0);
  const head = entry.text === '' ? entry.name : `${entry.name}  ${entry.text}`;
  return [head, ...branches.flatMap((lines, place) => hang(lines, place === branches.length - 1))];
}

function hang([head = '', ...rest]: readonly string[], isLast: boolean): string[] {
  const [branch, trunk] = isLast ? ['└── ', '    '] : ['├── ', '│   '];
  return [branch + head, ...rest.map((line) => trunk + line)];
}

type Children = ReadonlyMap<string, readonly Entry[]>;

function groupBySource(entries: readonly Entry[]): Children {
  const children = new Map<string, Entry[]>();
  for (const entry of entries) {
    if (!entry.source) continue;
    const key = keyOf(entry.source);
    const siblings = children.get(key);
    if (siblings) siblings.push(entry);
    else children.set(key, [entry]);
  }
  return children;
}

/** The registry, and nodes that are read from and of which nothing else is known. */
function sourcesOutside(entries: readonly Entry[]): Entry[] {
  const inside = new Set(entries.map(({ key }) => key));
  const sources = entries.flatMap(({ source }) => (source && !inside.has(keyOf(source)) ? [source] : []));
  const outside = new Map(sources.map((source) => [keyOf(source), sourceEntry(source)]));
  const registry = outside.get(registryKey);
  outside.delete(registryKey);
  return [...(registry ? [registry] : []), ...[...outside.values()].sort(byName)];
}

/** No session has such a key. */
const registryKey = 'registry';

function keyOf(source: Source): string {
  return source.kind === 'registry' ? registryKey : keyOfNode(source);
}

function keyOfNode({ sessionId }: HolderView): string {
  return sessionId === undefined ? '' : `session ${sessionId}`;
}

/** As people count: node-9 before node-10. */
const order = new Intl.Collator('en', { numeric: true });

function byName(one: Entry, other: Entry): number {
  return order.compare(one.name, other.name) || order.compare(one.key, other.key);
}

function sourceEntry(source: Source): Entry {
  if (source.kind === 'registry') return { key: registryKey, name: 'the registry', text: '' };
  return entryOf(source, oneLine(source.url));
}

/** A node that reads it or has it stands for its store, else those who wait there, else who failed last. */
function entriesOf(view: ResourceView): Entry[] {
  const { holder, queue, copies, lastError } = view;
  const others = copies.filter(({ sessionId }) => sessionId === undefined || sessionId !== holder?.sessionId);
  const known = [...(holder ? [holderEntry(holder, queue)] : []), ...others.map(copyEntry)];
  if (known.length > 0) return known;
  if (queue.length > 0) return queue.map((one) => entryOf(one, `waits for ${formatDuration(one.waitingMs)}`));
  return lastError ? [failedEntry(lastError)] : [];
}

function holderEntry(holder: NonNullable<ResourceView['holder']>, queue: ResourceView['queue']): Entry {
  const progress = holder.total > 0 ? progressOf(holder) : 'begins';
  const what = holder.type === 'pull' ? progress : holding[holder.type];
  const awaited = queue.length > 0 ? `, awaited by ${someNodes(queue)}` : '';
  return entryOf(holder, `${what}, for ${formatDuration(holder.heldMs)}${awaited}`, holder.source);
}

function copyEntry(copy: ResourceView['copies'][number]): Entry {
  const url = copy.url === undefined ? '' : `, ${oneLine(copy.url)}`;
  return entryOf(copy, `has it for ${formatDuration(copy.ageMs)}${url}`);
}

function failedEntry({ nodeId, message, ageMs }: NonNullable<ResourceView['lastError']>): Entry {
  return entryOf({ nodeId }, `failed ${formatDuration(ageMs)} ago: ${oneLine(message)}`);
}

function entryOf(node: HolderView, text: string, source?: Source): Entry {
  return { key: keyOfNode(node), name: oneLine(node.nodeId), text, source };
}

/** `3 read it, 1 has it, 2 wait` */
function countsOf(views: readonly ResourceView[]): string {
  const readers = views.filter(({ holder }) => holder?.type === 'pull').length;
  const copies = views.flatMap((view) => view.copies).length;
  const waiters = views.flatMap((view) => view.queue).length;
  const counts = [
    ...said(readers, 'reads it', 'read it'),
    ...said(copies, 'has it', 'have it'),
    ...said(waiters, 'waits', 'wait'),
  ];
  return counts.join(', ') || 'nobody reads it or has it';
}

function said(count: number, one: string, many: string): string[] {
  return count === 0 ? [] : [`${count} ${count === 1 ? one : many}`];
}
