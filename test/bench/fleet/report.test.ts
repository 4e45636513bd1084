import { describe, expect, it } from 'vitest';
import { drawChart } from '../../../bench/lib/fleet/chart.ts';
import { parseOptions } from '../../../bench/lib/fleet/options.ts';
import { fluidBoundMs, formatRows, type Row } from '../../../bench/lib/fleet/report.ts';

const mib = 1024 ** 2;
const image = { name: '64 MiB in 4 layers', reference: 'registry/app', digests: [], bytes: 64 * mib };
const baseline = { lastMs: 6_000, egressBytes: 64 * mib };

function options(...args: string[]) {
  const parsed = parseOptions(args);
  if (!parsed) throw new Error('help');
  return parsed;
}

function row(name: string, nodes: number, lastMs: number, images: number, more: Partial<Row> = {}): Row {
  return { name, nodes, result: { lastMs, egressBytes: images * image.bytes }, hasAim: false, ...more };
}

/** The lines of the table that begin with a name. */
function linesOf(rows: readonly Row[], name: string): string[] {
  const text = formatRows({ image, baseline, rows }, options());
  return text.split('\n').filter((line) => line.startsWith(name));
}

describe('the table of a fleet', () => {
  it.each([
    ['both are reached', 7_700, 1.04, 'met'],
    ['the last node is late', 7_900, 1.04, 'MISSED'],
    ['the registry sends too much', 7_700, 1.06, 'MISSED'],
  ])('says when %s', (_, lastMs, images, verdict) => {
    const [line] = linesOf([row('pull --server', 8, lastMs, images, { hasAim: true })], 'pull --server');
    expect(line).toContain((lastMs / 6_000).toFixed(2));
    expect(line).toContain(`${images.toFixed(2)}x`);
    expect(line?.endsWith(verdict)).toBe(true);
  });

  it('says what the registry spent on a node that was frozen', () => {
    const frozen = { waitingBytes: 12 * mib, laterBytes: 3 * mib };
    const result = { lastMs: 12_000, egressBytes: 76 * mib, frozen };
    const lines = linesOf([row('pull', 8, 0, 0, { result, fault: 'one frozen' })], 'pull: one frozen');
    expect(lines[1]).toMatch(/12 MiB of the egress waited there unread; 3 MiB more/);
  });

  it('judges nobody who has nothing to reach', () => {
    expect(linesOf([row('skopeo copy', 8, 45_000, 8.1)], 'skopeo copy')[0]).toMatch(/8\.10x$/);
  });

  it('shows what failed, and why', () => {
    const failed = { result: { failed: 'node-3 failed: no' }, fault: 'frozen' };
    const [inTable, below] = linesOf([row('agents', 8, 0, 0, failed)], 'agents');
    expect(inTable).toMatch(/^agents: frozen +8 +FAILED$/);
    expect(below).toBe('agents, 8 nodes, frozen: node-3 failed: no');
  });

  it('knows how long the bytes take over the link of the registry', () => {
    expect(fluidBoundMs(image, options())).toBeCloseTo(5_368.7, 1);
    expect(fluidBoundMs(image, options('--registry-link', '50'))).toBeCloseTo(10_737.4, 1);
  });
});

describe('the chart of a fleet', () => {
  it('is an SVG with a line for each contender and for what nothing can beat', () => {
    const rows = [
      row('alone', 1, 6_000, 1),
      row('pull --server', 2, 6_100, 1),
      row('pull --server', 8, 6_543, 1.01),
      row('skopeo copy', 8, 45_000, 8.1),
      row('pull --server', 8, 9_876, 1.5, { fault: 'frozen' }),
    ];
    const svg = drawChart([{ image, baseline, rows }], options());
    expect(svg).toMatch(/^<svg [\s\S]*<\/svg>$/);
    for (const text of [
      'pull --server',
      'skopeo copy',
      'one node: alone',
      'fluid bound',
      image.name,
      '6.54',
      '8.1',
    ])
      expect(svg).toContain(text);
    expect(svg).not.toContain('9.88');
  });
});

describe('the options of a fleet', () => {
  it('have the links and the image of the aim as their defaults', () => {
    expect(options()).toMatchObject({
      ...{ nodes: [2, 4, 8, 16], others: 8, imageBytes: 64 * mib, layers: [4, 1] },
      ...{ registryMbit: 100, nodeMbit: 200, faults: false, only: ['pulls', 'agents', 'skopeo', 'cache'] },
    });
  });

  it('leave to the lock server how many nodes read from one, unless they say it', () => {
    expect(options().fanOut).toBeUndefined();
    expect(options('--fan-out', '3').fanOut).toBe(3);
    expect(() => options('--fan-out', 'all')).toThrow('"all" is not a number from 1');
  });

  it('are refused where they make no sense', () => {
    expect(() => options('--only', 'pulls,wget')).toThrow('"wget" is none of pulls, agents, skopeo, cache');
    expect(() => options('--nodes', '8,none')).toThrow('"none" is not a number from 1');
    expect(parseOptions(['--help'])).toBeUndefined();
  });
});
