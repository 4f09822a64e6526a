import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { pathOf } from '../forms/paths';
import { t, type Key } from '../i18n';
import { IconButton } from '../ui';
import { fit, healthOf, layOut, textWidth, type Layout, type Node, type RouteLocation, type Row } from './layout';

const letter = 7.3; // width of a letter of the larger texts
const mono = 6.9;
const zooms = [0.35, 0.5, 0.65, 0.8, 1, 1.25, 1.6];

/** RoutePicture draws the map. It scrolls in its frame; the wheel with Ctrl and the buttons zoom. */
export function RoutePicture({ locations, server, children }: { locations: RouteLocation[]; server: string; children: ComponentChildren }) {
  const frame = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(1100);
  const [zoom, setZoom] = useState(1);
  const [lit, setLit] = useState<string | null>(null);
  useLayoutEffect(() => {
    const measure = () => frame.current && setWidth(Math.floor(frame.current.clientWidth));
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(frame.current!);
    return () => watch.disconnect();
  }, []);
  const map = useMemo(() => layOut(locations, width), [locations, width]);
  const step = (by: number) => setZoom((z) => zooms[Math.max(0, Math.min(zooms.length - 1, zooms.findIndex((v) => v >= z) + by))]);
  const whole = () => setZoom(Math.max(0.2, Math.min(1, frame.current!.clientHeight / map.height)));
  const wheel = (e: WheelEvent) => {
    if (!e.ctrlKey) return;
    e.preventDefault();
    step(e.deltaY > 0 ? -1 : 1);
  };
  return (
    <div class="card route-frame">
      <div class="zoom" role="group" aria-label={t('routes.zoom')}>
        <div class="grow">{children}</div>
        <IconButton small icon="plus" label={t('routes.zoom_in')} onClick={() => step(1)} />
        <button type="button" class="btn small quiet num" onClick={() => setZoom(1)} title={t('routes.zoom_one')}>
          {Math.round(zoom * 100)} %
        </button>
        <button type="button" class="btn icon quiet small" aria-label={t('routes.zoom_out')} title={t('routes.zoom_out')} onClick={() => step(-1)}>
          −
        </button>
        <IconButton small icon="screen" label={t('routes.zoom_fit')} onClick={whole} />
      </div>
      <div class="route-scroll" ref={frame} tabIndex={0} role="region" aria-label={t('routes.caption', { server })} onWheel={wheel}>
        <svg
          width={map.width * zoom}
          height={map.height * zoom}
          viewBox={`0 0 ${map.width} ${map.height}`}
          class={lit === null ? 'routes' : 'routes some-lit'}
          role="group"
          aria-label={t('routes.caption', { server })}
        >
          <Spine map={map} />
          {map.nodes.map((n) => n.locations.map((i) => <Edge map={map} row={map.rows[i]} node={n} lit={lit === `u:${n.name}` || lit === `l:${map.rows[i].location.name}`} />))}
          {map.rows.map((r) => (
            <RowDrawing key={r.location.name} map={map} row={r} lit={lit === `l:${r.location.name}` || lit === `u:${r.location.upstream}`} onLit={setLit} />
          ))}
          {map.nodes.map((n) => (
            <NodeDrawing
              key={`${n.name} ${n.locations[0]}`}
              map={map}
              node={n}
              lit={lit === `u:${n.name}` || n.locations.some((i) => lit === `l:${map.rows[i].location.name}`)}
              onLit={setLit}
            />
          ))}
        </svg>
      </div>
    </div>
  );
}

/** Spine is the line that requests go down, from one location to the next that may match. */
function Spine({ map }: { map: Layout }) {
  const x = map.columns.server + 14;
  const last = map.rows[map.rows.length - 1];
  return <line class="spine" x1={x} x2={x} y1={4} y2={last.y} />;
}

/** endOf is where a location's own drawing ends: behind its last plugin. */
function endOf(map: Layout, row: Row): number {
  const last = row.chips[row.chips.length - 1];
  return last ? last.x + last.width + 4 : map.columns.match + map.columns.matchWidth + 4;
}

function Edge({ map, row, node, lit }: { map: Layout; row: Row; node: Node; lit: boolean }) {
  const from = endOf(map, row);
  const to = map.columns.upstream;
  // Straight as far as chips may stand, then a curve in the free lane before the upstreams.
  const bend = Math.max(from, to - 64);
  const mid = (bend + to) / 2;
  return <path class={`edge ${healthOf(node.healthy, node.total)}${lit ? ' lit' : ''}`} d={`M${from} ${row.y}H${bend}C${mid} ${row.y} ${mid} ${node.y} ${to} ${node.y}`} />;
}

type RowProps = { map: Layout; row: Row; lit: boolean; onLit: (what: string | null) => void };

function RowDrawing({ map, row, lit, onLit }: RowProps) {
  const { location: l, y } = row;
  const c = map.columns;
  const spine = c.server + 14;
  const on = () => onLit(`l:${l.name}`);
  const off = () => onLit(null);
  const half = Math.min(map.rowHeight / 2 - 2, 24);
  const kind = t(`routes.kind.${l.kind}` as Key);
  const kindWidth = textWidth(kind, 6.2) + 12;
  const host = (l.host ?? []).join(', ') || t('objects.any_host');
  const room = c.matchWidth - 24;
  const hostText = fit(host, room * 0.45, mono);
  const pathX = c.match + 12 + textWidth(hostText, mono) + 8;
  return (
    <g class={lit ? 'loc lit' : 'loc'} onMouseEnter={on} onMouseLeave={off} onFocusIn={on} onFocusOut={off}>
      <title>{`${l.name}\n${host} ${l.path}`}</title>
      <circle class="stop" cx={spine} cy={y} r={11} />
      <text class="order" x={spine} y={y + 4} text-anchor="middle">
        {l.order}
      </text>
      <line class="branch" x1={spine + 11} x2={c.match} y1={y} y2={y} />
      <a href={pathOf('location', l.name)}>
        <rect class="box" x={c.match} y={y - half} width={c.matchWidth} height={half * 2} rx={8} />
        <text class="name" x={c.match + 12} y={y - 3}>
          {fit(l.name, room - kindWidth - 46, letter)}
        </text>
        <text class="host" x={c.match + 12} y={y + 13}>
          {hostText}
        </text>
        <text class="path" x={pathX} y={y + 13}>
          {fit(l.path || t('objects.any_path'), c.match + c.matchWidth - 12 - pathX, mono)}
        </text>
        <text class="kind" x={c.match + c.matchWidth - 12} y={y - 3} text-anchor="end">
          {kind} · {l.weight}
        </text>
      </a>
      {row.chips.map((chip) =>
        chip.plugin ? (
          <g>
            <title>{`${chip.plugin.name} · ${chip.plugin.category} · ${chip.plugin.step}`}</title>
            <a href={pathOf('plugin', chip.plugin.name)}>
              <rect class={`plug ${chip.plugin.step}`} x={chip.x} y={y - 11} width={chip.width} height={22} rx={11} />
              <text class="plug-text" x={chip.x + chip.width / 2} y={y + 4} text-anchor="middle">
                {chip.label}
              </text>
            </a>
          </g>
        ) : (
          <text class="more" x={chip.x + 4} y={y + 4}>
            {chip.label}
          </text>
        ),
      )}
      {!l.upstream && (
        <text class="ends" x={endOf(map, row) + 8} y={y + 4}>
          {t('routes.answers_itself')}
        </text>
      )}
    </g>
  );
}

function NodeDrawing({ map, node, lit, onLit }: { map: Layout; node: Node; lit: boolean; onLit: (what: string | null) => void }) {
  const c = map.columns;
  const state = healthOf(node.healthy, node.total);
  const half = Math.min(map.rowHeight / 2 - 2, 20);
  const on = () => onLit(`u:${node.name}`);
  const off = () => onLit(null);
  const counted = node.total > 0 ? t('objects.healthy_of', { healthy: node.healthy, total: node.total }) : t('objects.health_unknown');
  return (
    <g class={lit ? 'node lit' : 'node'} onMouseEnter={on} onMouseLeave={off} onFocusIn={on} onFocusOut={off}>
      <title>{`${node.name} · ${counted}`}</title>
      <a href={pathOf('upstream', node.name)}>
        <rect class="box" x={c.upstream} y={node.y - half} width={c.upstreamWidth} height={half * 2} rx={8} />
        <Ring x={c.upstream + 22} y={node.y} healthy={node.healthy} total={node.total} state={state} />
        <text class="name" x={c.upstream + 42} y={node.y - 2}>
          {fit(node.name, c.upstreamWidth - 52, letter)}
        </text>
        <text class="host" x={c.upstream + 42} y={node.y + 13}>
          {fit(counted, c.upstreamWidth - 52, 6.2)}
        </text>
      </a>
    </g>
  );
}

/** Ring shows the share of backends that serve: a full circle when all do. */
function Ring({ x, y, healthy, total, state }: { x: number; y: number; healthy: number; total: number; state: string }) {
  const r = 8;
  const length = 2 * Math.PI * r;
  const share = total > 0 ? healthy / total : 0;
  return (
    <g class={`ring ${state}`}>
      <circle class="under" cx={x} cy={y} r={r} />
      {share > 0 && <circle class="over" cx={x} cy={y} r={r} stroke-dasharray={`${length * share} ${length}`} transform={`rotate(-90 ${x} ${y})`} />}
      {state === 'none' && <path class="cross" d={`M${x - 3} ${y - 3}l6 6m0-6l-6 6`} />}
    </g>
  );
}
