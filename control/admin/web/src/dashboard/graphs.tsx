import { useMemo } from 'preact/hooks';
import { t } from '../i18n';
import { bytes, count, millis, percent, Skeleton } from '../ui';
import { Chart, type Line } from '../ui/chart';
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

/** Graphs are the six of the dashboard; CPU and memory only exist for the whole instance. */
export function Graphs({ past, whole }: { past?: Past; whole: boolean }) {
  const shown = useMemo(() => graphs().filter((g) => whole || !g.whole), [whole]);
  return (
    <div class="charts">
      {shown.map((g) => (
        <One key={g.title} graph={g} past={past} />
      ))}
    </div>
  );
}

function One({ graph, past }: { graph: Graph; past?: Past }) {
  const data = useMemo(() => past && [past.times, ...graph.series.map((s) => past.values[s])], [past?.times, graph]);
  if (!data) {
    return (
      <div class="card chart" style={{ minHeight: '176px' }}>
        <Skeleton lines={5} />
      </div>
    );
  }
  return <Chart title={graph.title} data={data} lines={graph.lines} format={graph.format} />;
}
