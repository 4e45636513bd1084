import * as echarts from 'echarts';
import type { FleetOptions } from './options.ts';
import { fluidBoundMs, type ImageRows, type Row } from './report.ts';

const width = 1_200;
const panelHeight = 380;
const legendHeight = 60;
/** Of the numbers beside the points, so that those of lines that lie together do not. */
const labelPlaces = ['top', 'bottom', 'right', 'left'] as const;

/** An SVG: for each image how long the last node took, and what left the registry, over the number of nodes. */
export function drawChart(results: readonly ImageRows[], options: FleetOptions): string {
  const chart = echarts.init(null, null, {
    ...{ renderer: 'svg', ssr: true },
    ...{ width, height: legendHeight + panelHeight * results.length },
  });
  try {
    chart.setOption(toOption(results, options));
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

interface Panel {
  readonly title: string;
  readonly value: (row: Measured) => number;
  /** What nothing can be better than. */
  readonly bound: number;
}

type Measured = Row & { readonly result: { readonly lastMs: number; readonly egressBytes: number } };

function toOption(results: readonly ImageRows[], options: FleetOptions): echarts.EChartsOption {
  const panels = results.flatMap((rows) => panelsOf(rows, options).map((panel) => ({ rows, panel })));
  const place = (at: number) => ({
    left: `${(at % 2) * 50 + 6}%`,
    top: legendHeight + Math.floor(at / 2) * panelHeight + 40,
  });
  return {
    animation: false,
    backgroundColor: '#ffffff',
    legend: { top: 10, left: 'center', itemGap: 30 },
    title: panels.map(({ panel }, at) => ({
      ...{ text: panel.title, textStyle: { fontSize: 14 } },
      ...{ left: place(at).left, top: place(at).top - 35 },
    })),
    grid: panels.map((_, at) => ({ ...place(at), width: '40%', height: panelHeight - 100 })),
    xAxis: panels.map((_, at) => ({
      ...{ gridIndex: at, type: 'category', name: 'nodes', nameLocation: 'middle', nameGap: 28 },
      data: nodeCounts(results).map(String),
    })),
    yAxis: panels.map((_, at) => ({ gridIndex: at, type: 'log', logBase: 2 })),
    series: panels.flatMap(({ rows, panel }, at) => seriesOf(rows, panel, at, nodeCounts(results))),
  };
}

function panelsOf({ image }: ImageRows, options: FleetOptions): Panel[] {
  return [
    {
      title: `${image.name}: seconds until the last node is done`,
      value: ({ result }) => result.lastMs / 1_000,
      bound: fluidBoundMs(image, options) / 1_000,
    },
    {
      title: `${image.name}: images sent by the registry`,
      value: ({ result }) => result.egressBytes / image.bytes,
      bound: 1,
    },
  ];
}

function seriesOf({ rows }: ImageRows, panel: Panel, at: number, counts: readonly number[]) {
  const axes = { type: 'line' as const, xAxisIndex: at, yAxisIndex: at };
  const measured = rows.filter(isMeasured);
  const together = measured.filter(({ nodes }) => nodes > 1);
  const lines = [...new Set(together.map(({ name }) => name))].map((name, line) => ({
    ...{ ...axes, name, symbolSize: 8, connectNulls: true },
    label: { show: true, fontSize: 10, position: labelPlaces[line % labelPlaces.length] ?? 'top' },
    data: counts.map((count) => {
      const row = together.find((one) => one.name === name && one.nodes === count);
      return row ? rounded(panel.value(row)) : null;
    }),
  }));
  const level = (name: string, value: number, type: 'dashed' | 'dotted') => ({
    ...{ ...axes, name, symbol: 'none', lineStyle: { type } },
    data: counts.map(() => rounded(value)),
  });
  const alone = measured.filter(({ nodes }) => nodes === 1);
  return [
    ...lines,
    ...alone.map((row) => level(`one node: ${row.name}`, panel.value(row), 'dotted')),
    level('fluid bound: image / link of the registry', panel.bound, 'dashed'),
  ];
}

function rounded(value: number): number {
  return Number(value.toFixed(2));
}

/** Faults are in the table alone. */
function isMeasured(row: Row): row is Measured {
  return 'lastMs' in row.result && row.fault === undefined;
}

function nodeCounts(results: readonly ImageRows[]): number[] {
  const counts = results.flatMap(({ rows }) => rows.map(({ nodes }) => nodes));
  return [...new Set(counts)].sort((a, b) => a - b);
}
