import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import './chart.css';
import { theme } from '../app/theme';
import { useStore } from '../app/store';
import { clock } from './format';

export type Line = { label: string; colour: string; fill?: boolean };
export type ChartProps = {
  title: string;
  /** data is the times in seconds, then the values of each line. */
  data: (number | null)[][];
  lines: Line[];
  format: (v: number | null) => string;
  height?: number;
};

// real is what a colour of the design system is now: a canvas knows no variables.
function real(box: HTMLElement, colour: string): string {
  const probe = document.createElement('span');
  probe.style.color = colour;
  box.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function thin(colour: string, alpha: number): string {
  return colour.replace(/^rgb\((.*)\)$/, `rgba($1, ${alpha})`);
}

/** Chart is a graph over time with the values under the pointer in its head; all charts of a page point at the same time. */
export function Chart({ title, data, lines, format, height = 150 }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const [at, point] = useState<number | null>(null);
  const chosen = useStore(theme);
  const dark = useDark();
  const near = useNear(box);
  useEffect(() => {
    if (!near) return;
    const here = box.current!;
    const u = new uPlot(options(here, lines, format, height, point), data as uPlot.AlignedData, here);
    plot.current = u;
    const size = new ResizeObserver(() => here.clientWidth > 0 && u.setSize({ width: here.clientWidth, height }));
    size.observe(here);
    return () => {
      size.disconnect();
      u.destroy();
      plot.current = undefined;
    };
  }, [chosen, dark, lines, near]);
  useEffect(() => plot.current?.setData(data as uPlot.AlignedData), [data]);
  const index = at ?? (data[0]?.length ?? 0) - 1;
  return (
    <figure class="card chart">
      <figcaption>
        <h3>{title}</h3>
        {at !== null && data[0]?.[at] != null && <span class="muted small num">{new Date(data[0][at]! * 1000).toLocaleTimeString()}</span>}
        <span class="values">
          {lines.map((line, i) => (
            <span class="num">
              <i style={{ background: line.colour }} />
              {line.label && <span class="muted">{line.label}</span>} {format(data[i + 1]?.[index] ?? null)}
            </span>
          ))}
        </span>
      </figcaption>
      <div ref={box} role="img" aria-label={words(title, data, lines, format)} style={{ height: `${height}px` }} />
    </figure>
  );
}

// useNear says whether a box is seen or soon will be: what is far below is not drawn.
function useNear(box: { current: HTMLElement | null }): boolean {
  const [near, set] = useState(false);
  useEffect(() => {
    let later = 0;
    const look = new IntersectionObserver((seen) => {
      clearTimeout(later);
      // In a task of its own: six graphs at once would keep the page from answering.
      if (seen.at(-1)!.isIntersecting) later = window.setTimeout(() => set(true), 30);
      else set(false);
    }, { rootMargin: '100px' });
    look.observe(box.current!);
    return () => {
      clearTimeout(later);
      look.disconnect();
    };
  }, []);
  return near;
}

function words(title: string, data: (number | null)[][], lines: Line[], format: ChartProps['format']): string {
  const parts = lines.map((line, i) => {
    const known = (data[i + 1] ?? []).filter((v): v is number => v !== null);
    return known.length ? `${line.label} ${format(known.at(-1)!)} (max ${format(Math.max(...known))})` : `${line.label} –`;
  });
  return `${title}: ${parts.join(', ')}`;
}

function useDark(): boolean {
  const query = matchMedia('(prefers-color-scheme: dark)');
  const [dark, set] = useState(query.matches);
  useEffect(() => {
    const change = () => set(query.matches);
    query.addEventListener('change', change);
    return () => query.removeEventListener('change', change);
  }, []);
  return dark;
}

function options(box: HTMLElement, lines: Line[], format: ChartProps['format'], height: number, point: (i: number | null) => void): uPlot.Options {
  const muted = real(box, 'var(--muted)');
  const grid = { stroke: real(box, 'var(--line)'), width: 1 };
  const font = `11px ${getComputedStyle(box).fontFamily}`;
  return {
    width: box.clientWidth || 300,
    height,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: 'panel' }, drag: { x: false, y: false }, points: { size: 6 }, y: false },
    hooks: { setCursor: [(u) => point(u.cursor.idx ?? null)] },
    scales: { y: { range: (_u, _min, max) => [0, max > 0 ? max * 1.12 : 1] } },
    axes: [
      { stroke: muted, grid: { show: false }, ticks: { show: false }, font, size: 22, gap: 2, space: 70, values: (_u, ticks) => ticks.map((s) => clock(new Date(s * 1000))) },
      { stroke: muted, grid, ticks: { show: false }, font, size: 58, gap: 4, space: 32, values: (_u, ticks) => ticks.map((v) => format(v)) },
    ],
    series: [
      {},
      ...lines.map((line) => {
        const stroke = real(box, line.colour);
        return { label: line.label, stroke, width: 1.5, fill: line.fill ? thin(stroke, 0.12) : undefined, points: { show: false }, spanGaps: false };
      }),
    ],
  };
}
