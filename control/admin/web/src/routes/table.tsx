import { pathOf } from '../forms/paths';
import { t, type Key } from '../i18n';
import { Badge, Table, type Column } from '../ui';
import { healthOf, type RouteLocation } from './layout';

const tones = { ok: 'ok', some: 'warn', none: 'bad', unknown: 'mute' } as const;

/** RouteTable says the same as the picture, for those who read or hear it. */
export function RouteTable({ locations, server }: { locations: RouteLocation[]; server: string }) {
  const columns: Column<RouteLocation>[] = [
    { id: 'order', head: '#', label: t('routes.order'), right: true, cell: (l) => l.order, sort: (l) => l.order },
    { id: 'name', head: t('objects.one.location'), main: true, cell: (l) => <a href={pathOf('location', l.name)}>{l.name}</a>, sort: (l) => l.name },
    { id: 'host', head: t('routes.host'), cell: (l) => <span class="mono small">{(l.host ?? []).join(', ') || t('objects.any_host')}</span> },
    { id: 'path', head: t('routes.path'), cell: (l) => <PathText of={l} /> },
    { id: 'weight', head: t('routes.weight'), right: true, cell: (l) => l.weight, sort: (l) => l.weight },
    { id: 'plugins', head: t('nav.plugins'), cell: (l) => <Plugins of={l} /> },
    { id: 'upstream', head: t('objects.one.upstream'), cell: (l) => <Upstream of={l} />, sort: (l) => l.upstream },
  ];
  return (
    <div class="card">
      <Table columns={columns} rows={locations} rowKey={(l) => l.name} caption={t('routes.caption', { server })} />
    </div>
  );
}

function PathText({ of }: { of: RouteLocation }) {
  return (
    <span class="row">
      <Badge>{t(`routes.kind.${of.kind}` as Key)}</Badge>
      <span class="mono small">{of.path || t('objects.any_path')}</span>
    </span>
  );
}

function Plugins({ of }: { of: RouteLocation }) {
  const plugins = of.plugins ?? [];
  if (plugins.length === 0) return <span class="muted">–</span>;
  return (
    <span class="refs wrap">
      {plugins.map((p) => (
        <a class="chip" href={pathOf('plugin', p.name)} title={`${p.category} · ${p.step}`}>
          {p.name}
        </a>
      ))}
    </span>
  );
}

function Upstream({ of }: { of: RouteLocation }) {
  if (!of.upstream) return <span class="muted">{t('routes.answers_itself')}</span>;
  const tone = tones[healthOf(of.healthy, of.total)];
  return (
    <span class="row">
      <a href={pathOf('upstream', of.upstream)}>{of.upstream}</a>
      {of.total > 0 && (
        <Badge tone={tone} dot>
          {of.healthy}/{of.total}
        </Badge>
      )}
    </span>
  );
}
