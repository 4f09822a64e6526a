import type { ComponentChildren } from 'preact';
import type { ObjectLine } from '../api/types';
import type { Item } from '../changes/draft';
import { pathOf, refOf } from '../forms/paths';
import { t, type Key } from '../i18n';
import { Badge } from '../ui';
import { serving, type UpstreamHealth, type Validity } from './data';
import { DraftBadge } from './list';

/** RowData is all that is known of one object of a list. */
export type RowData = {
  category: string;
  name: string;
  line?: ObjectLine; // none: it is in the draft only
  value: Record<string, unknown>;
  draft?: Item;
  words: string; // what the search looks through
  health: Map<string, UpstreamHealth>;
  validity?: Validity;
};

export type Column = { head: Key; width: string; kind: 'main' | 'info' | 'badges' | 'refs'; cell: (row: RowData) => ComponentChildren };

const name: Column = { head: 'common.name', width: 'minmax(150px, 1.3fr)', kind: 'main', cell: (r) => <Name row={r} /> };
const usedBy: Column = { head: 'objects.used_by', width: 'minmax(120px, 1fr)', kind: 'refs', cell: (r) => <UsedBy row={r} /> };

/** columnsOf says what a list of a category shows beside the names. */
export function columnsOf(category: string): Column[] {
  switch (category) {
    case 'server':
      return [
        name,
        { head: 'objects.listens', width: 'minmax(140px, 1fr)', kind: 'info', cell: (r) => <Mono text={text(r, 'addr')} /> },
        { head: 'nav.locations', width: 'minmax(140px, 1.4fr)', kind: 'refs', cell: (r) => <Refs category="location" names={list(r, 'locations')} /> },
        { head: 'objects.badges', width: 'minmax(120px, 1fr)', kind: 'badges', cell: serverBadges },
      ];
    case 'location':
      return [
        name,
        { head: 'objects.match', width: 'minmax(170px, 1.7fr)', kind: 'info', cell: (r) => <Match row={r} /> },
        { head: 'objects.one.upstream', width: 'minmax(110px, 1fr)', kind: 'refs', cell: (r) => <Upstream row={r} /> },
        { head: 'nav.plugins', width: 'minmax(110px, 1.2fr)', kind: 'refs', cell: (r) => <Refs category="plugin" names={list(r, 'plugins')} /> },
        usedBy,
      ];
    case 'upstream':
      return [
        name,
        { head: 'nav.backends', width: 'minmax(170px, 1.7fr)', kind: 'info', cell: (r) => <Mono text={list(r, 'addrs').join(', ')} /> },
        { head: 'objects.health', width: 'minmax(100px, .8fr)', kind: 'badges', cell: (r) => <Health of={r.health.get(r.name)} /> },
        { head: 'objects.algo', width: 'minmax(100px, .8fr)', kind: 'info', cell: (r) => <Mono text={text(r, 'algo') || 'round_robin'} /> },
        usedBy,
      ];
    case 'plugin':
      return [
        name,
        { head: 'objects.kind', width: 'minmax(120px, 1fr)', kind: 'badges', cell: (r) => <Badge tone="info">{text(r, 'category') || '–'}</Badge> },
        { head: 'objects.summary', width: 'minmax(160px, 1.8fr)', kind: 'info', cell: (r) => <span class="cut">{r.line?.summary}</span> },
        usedBy,
      ];
    case 'certificate':
      return [
        name,
        { head: 'objects.domains', width: 'minmax(170px, 1.7fr)', kind: 'info', cell: (r) => <Mono text={(r.validity?.domains ?? []).join(', ') || text(r, 'domains')} /> },
        { head: 'nav.validity', width: 'minmax(120px, 1fr)', kind: 'badges', cell: (r) => <Days of={r.validity} /> },
        { head: 'objects.badges', width: 'minmax(120px, 1fr)', kind: 'badges', cell: certificateBadges },
      ];
  }
  return [
    name,
    {
      head: 'objects.kind',
      width: 'minmax(100px, .8fr)',
      kind: 'badges',
      cell: (r) => <Badge tone={text(r, 'category') === 'secret' ? 'warn' : 'info'}>{text(r, 'category') || '–'}</Badge>,
    },
    usedBy,
  ];
}

function text(r: RowData, key: string): string {
  const value = r.value[key];
  return value === null || value === undefined ? '' : String(value);
}

function list(r: RowData, key: string): string[] {
  const value = r.value[key];
  return Array.isArray(value) ? value.map(String) : [];
}

function Name({ row }: { row: RowData }) {
  const remark = row.line?.remark;
  return (
    <div class="name-cell">
      <span class="row">
        <a class="cut strong" href={pathOf(row.category, row.name)} title={row.name}>
          {row.name}
        </a>
        <DraftBadge item={row.draft} />
      </span>
      {remark && (
        <span class="cut muted small" title={remark}>
          {remark}
        </span>
      )}
    </div>
  );
}

function Mono({ text: value }: { text: string }) {
  return (
    <span class="mono cut small" title={value}>
      {value || '–'}
    </span>
  );
}

/** Refs are links to some objects, and how many more there are. */
export function Refs({ category, names, most = 2 }: { category: string; names: string[]; most?: number }) {
  if (names.length === 0) return <span class="muted">–</span>;
  const rest = names.length - most;
  return (
    <span class="refs" title={names.length > most ? names.slice(0, 40).join(', ') : undefined}>
      {names.slice(0, most).map((n) => (
        <a class="chip cut" href={pathOf(category, n)}>
          {n}
        </a>
      ))}
      {rest > 0 && <span class="muted small">+{rest}</span>}
    </span>
  );
}

function UsedBy({ row }: { row: RowData }) {
  const users = row.line?.used_by ?? [];
  if (!row.line) return <span class="muted">–</span>;
  if (users.length === 0) return <Badge tone="warn">{t('objects.unused')}</Badge>;
  return (
    <span class="refs" title={users.slice(0, 40).join(', ')}>
      {users.slice(0, 2).map((u) => {
        const ref = refOf(u);
        return (
          <a class="chip cut" href={ref.href} title={u}>
            {ref.name || ref.category}
          </a>
        );
      })}
      {users.length > 2 && <span class="muted small">+{users.length - 2}</span>}
    </span>
  );
}

function Match({ row }: { row: RowData }) {
  const host = text(row, 'host') || t('objects.any_host');
  const path = text(row, 'path') || t('objects.any_path');
  return (
    <span class="mono cut small" title={`${host} ${path}`}>
      <span class="muted">{host} </span>
      {path}
    </span>
  );
}

function Upstream({ row }: { row: RowData }) {
  const upstream = text(row, 'upstream');
  if (!upstream) return <span class="muted">–</span>;
  const { tone, healthy, total } = serving(row.health.get(upstream));
  return (
    <a class="chip cut" href={pathOf('upstream', upstream)} title={total > 0 ? t('objects.healthy_of', { healthy, total }) : undefined}>
      <span class={`dot ${tone}`} />
      <span class="cut">{upstream}</span>
    </a>
  );
}

/** Health is how many backends of an upstream serve. */
export function Health({ of }: { of: UpstreamHealth | undefined }) {
  const { healthy, total, tone } = serving(of);
  if (total === 0) return <Badge>{t('objects.health_unknown')}</Badge>;
  return (
    <Badge tone={tone} dot title={(of?.backends ?? []).map((b) => `${b.address}: ${b.health}${b.reason ? ` (${b.reason})` : ''}`).join('\n')}>
      {healthy}/{total}
    </Badge>
  );
}

/** Days is how long a certificate is still valid. */
export function Days({ of }: { of: Validity | undefined }) {
  if (!of) return <Badge>{t('objects.not_read')}</Badge>;
  if (!of.not_after || of.not_after.startsWith('0001')) return <Badge tone={of.last_error ? 'bad' : 'warn'}>{t('objects.no_certificate')}</Badge>;
  const tone = of.days_left < 0 ? 'bad' : of.days_left < 7 ? 'bad' : of.days_left < 30 ? 'warn' : 'ok';
  return (
    <Badge tone={tone} dot title={new Date(of.not_after).toLocaleString()}>
      {of.days_left < 0 ? t('objects.expired') : t('objects.days', { n: of.days_left })}
    </Badge>
  );
}

function serverBadges(r: RowData) {
  return (
    <>
      {r.value.global_certificates === true && <Badge tone="ok">TLS</Badge>}
      {r.value.enabled_h2 === true && <Badge tone="info">h2</Badge>}
      {text(r, 'proxy_protocol') !== '' && text(r, 'proxy_protocol') !== 'off' && <Badge>PROXY</Badge>}
      {text(r, 'access_log') !== '' && <Badge>{t('objects.log')}</Badge>}
      {text(r, 'otlp_exporter') !== '' && <Badge>{t('objects.traces')}</Badge>}
    </>
  );
}

function certificateBadges(r: RowData) {
  return (
    <>
      {text(r, 'acme') !== '' && <Badge tone="info">ACME</Badge>}
      {r.value.is_default === true && <Badge>{t('objects.default')}</Badge>}
      {r.value.is_ca === true && <Badge>CA</Badge>}
      {r.validity?.issuer && (
        <span class="muted small cut" title={r.validity.issuer}>
          {r.validity.issuer}
        </span>
      )}
    </>
  );
}
