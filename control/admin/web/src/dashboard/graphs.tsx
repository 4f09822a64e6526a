import type { FunctionComponent } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { t } from '../i18n';
import { bytes, count, millis, percent, Skeleton } from '../ui';
import type { ChartProps, Line } from '../ui/chart';
import { whenIdle } from '../ui/idle';
import type { Name, Past } from './live';

type Graph = { title: string; series: Name[]; lines: Line[]; format: (v: number | null) => string; whole?: boolean };

function graphs(): Graph[] {
  const one = (colour: string): Line[] => [{ label: '', colour, fill: true }];
  return [
    { title: t('dash.rps'), series: ['rps'], lines: one('var(--chart-1)'), format: (v) => count(v) },
    { title: t('dash.errors'), series: ['errors'], lines: one('var(--chart-4)'), format: (v) => count(v, 2) },
    { title: t('dash.latency'), series: ['p50', 'p90', 'p99'], lines: [{ label: 'p50', colour: 'var(--chart-2)' }, { label: 'p90', colour: 'var(--chart-1)' }, { label: 'p99', colour: 'var(--chart-3)' }], format: millis },
    { title: t('dash.connections'), series: ['connections'], lines: one('var(--chart-2)'), format: (v) => count(v) },
    { title: t('dash.cpu'), series: ['cpu'], lines: one('var(--chart-3)'), format: percent, whole: true },
    { title: t('dash.memory'), series: ['memory'], lines: one('var(--chart-1)'), format: bytes, whole: true },
  ];
}

type ChartLike = FunctionComponent<ChartProps>;

// useChart loads what draws graphs after the page is there: tiles and tables do not wait for it.
function useChart(): ChartLike | undefined {
  const [chart, set] = useState<{ Chart: ChartLike }>();
  useEffect(() => whenIdle(() => void import('../ui/chart').then((m) => set({ Chart: m.Chart }))), []);
  return chart?.Chart;
}

/** Graphs are the six of the dashboard; CPU and memory only exist for the whole instance. */
export function Graphs({ past, whole }: { past?: Past; whole: boolean }) {
  const Chart = useChart();
  const shown = useMemo(() => graphs().filter((g) => whole || !g.whole), [whole]);
  return (
    <div class="charts">
      {shown.map((g) => (
        <One key={g.title} graph={g} past={past} Chart={Chart} />
      ))}
    </div>
  );
}

// known is the graphs without the time in which nothing is known of anything: an instance that has just begun has wide ones too.
function known(past: Past, series: Name[]): (number | null)[][] {
  const first = past.times.findIndex((_, i) => past.values.memory[i] !== null || past.values.rps[i] !== null);
  const from = first < 0 ? 0 : Math.max(0, Math.min(first, past.times.length - 60));
  return [past.times.slice(from), ...series.map((s) => past.values[s].slice(from))];
}

function One({ graph, past, Chart }: { graph: Graph; past?: Past; Chart?: ChartLike }) {
  const data = useMemo(() => past && known(past, graph.series), [past?.times, graph]);
  // Most samples add no point: what is drawn stays the same element then, and nothing of it is looked at.
  return useMemo(() => {
    if (data && Chart) return <Chart title={graph.title} data={data} lines={graph.lines} format={graph.format} />;
    return (
      <div class="card chart">
        <Skeleton lines={5} />
      </div>
    );
  }, [data, Chart, graph]);
}
