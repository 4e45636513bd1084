import * as echarts from 'echarts';
import type { FleetOptions } from './options.ts';
import { fluidBoundMs, type ImageRows, type Row } from './report.ts';

const width = 1_100;
const panelHeight = 380;
const legendHeight = 90;

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
  readonly unit: string;
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
    legend: { top: 10, left: 'center', width: width - 100 },
    title: panels.map(({ panel }, at) => ({
      ...{ text: panel.title, textStyle: { fontSize: 14 } },
      ...{ left: place(at).left, top: place(at).top - 35 },
    })),
    grid: panels.map((_, at) => ({ ...place(at), width: '40%', height: panelHeight - 100 })),
    xAxis: panels.map((_, at) => ({
      ...{ gridIndex: at, type: 'category', name: 'nodes', nameLocation: 'middle', nameGap: 28 },
      data: nodeCounts(results).map(String),
    })),
    yAxis: panels.map(({ panel }, at) => ({ gridIndex: at, type: 'log', name: panel.unit, min: 0.5 })),
    series: panels.flatMap(({ rows, panel }, at) => seriesOf(rows, panel, at, nodeCounts(results))),
  };
}

function panelsOf({ image }: ImageRows, options: FleetOptions): Panel[] {
  return [
    {
      title: `${image.name}: until the last node is done`,
      unit: 'seconds',
      value: ({ result }) => result.lastMs / 1_000,
      bound: fluidBoundMs(image, options) / 1_000,
    },
    {
      title: `${image.name}: sent by the registry`,
      unit: 'images',
      value: ({ result }) => result.egressBytes / image.bytes,
      bound: 1,
    },
  ];
}

function seriesOf({ rows }: ImageRows, panel: Panel, at: number, counts: readonly number[]) {
  const measured = rows.filter(isMeasured);
  const lines = [...new Set(measured.map(({ name }) => name))].map((name) => ({
    ...{ name, type: 'line' as const, xAxisIndex: at, yAxisIndex: at, symbolSize: 8, connectNulls: true },
    data: counts.map((count) => {
      const row = measured.find((one) => one.name === name && one.nodes === count);
      return row ? Number(panel.value(row).toFixed(2)) : null;
    }),
  }));
  const bound = {
    ...{ name: 'fluid bound', type: 'line' as const, xAxisIndex: at, yAxisIndex: at, symbol: 'none' },
    ...{ lineStyle: { type: 'dashed' as const }, data: counts.map(() => Number(panel.bound.toFixed(2))) },
  };
  return [...lines, bound];
}

/** Faults are in the table alone. */
function isMeasured(row: Row): row is Measured {
  return 'lastMs' in row.result && row.fault === undefined;
}

function nodeCounts(results: readonly ImageRows[]): number[] {
  const counts = results.flatMap(({ rows }) => rows.map(({ nodes }) => nodes));
  return [...new Set(counts)].sort((a, b) => a - b);
}
