import type { ComponentChildren } from 'preact';
import type { Inventory, Live } from '../api/types';
import { t } from '../i18n';
import { bytes, count, millis, type Tone } from '../ui';

/** Tiles are the figures that one looks at first. */
export function Tiles({ live, certificates }: { live?: Live; certificates?: Inventory }) {
  const all = live?.totals;
  const backends = live?.upstreams.reduce((sum, u) => ({ healthy: sum.healthy + u.healthy, total: sum.total + u.total }), { healthy: 0, total: 0 });
  const share = all?.rps ? (all.errors_per_s ?? 0) / all.rps : 0;
  const days = certificates?.certificates.filter((c) => c.not_after).reduce<number | null>((least, c) => (least === null || c.days_left < least ? c.days_left : least), null) ?? null;
  return (
    <div class="tiles">
      <Tile label={t('dash.rps')} value={count(all?.rps)} more={all && t('dash.processing', { n: all.processing })} />
      <Tile label={t('dash.errors')} value={count(all?.errors_per_s, 2)} more={all && t('dash.share', { share: (share * 100).toFixed(share < 0.1 ? 2 : 0) })} tone={share > 0.05 ? 'bad' : share > 0.01 ? 'warn' : undefined} />
      <Tile label={t('dash.p50')} value={millis(all?.p50_ms)} more={all && `p99 ${millis(all.p99_ms)}`} />
      <Tile label={t('dash.connections')} value={count(all?.connections)} more={all && t('dash.accepted', { n: count(all.accepted) })} />
      <Tile label={t('dash.out')} value={all ? `${bytes(all.bytes_out_per_s)}/s` : '–'} more={all && t('dash.in', { n: `${bytes(all.bytes_in_per_s)}/s` })} />
      <Tile href="#/backends" label={t('dash.backends')} value={backends ? `${backends.healthy}/${backends.total}` : '–'} more={backends && (backends.healthy === backends.total ? t('dash.allwell') : t('dash.down', { n: backends.total - backends.healthy }))} tone={backends && backends.healthy < backends.total ? 'bad' : undefined} />
      <Tile href="#/validity" label={t('dash.certificate')} value={days === null ? '–' : t('dash.days', { n: days })} more={t('dash.shortest')} tone={days !== null && days < 7 ? 'bad' : days !== null && days < 21 ? 'warn' : undefined} />
    </div>
  );
}

function Tile({ label, value, more, tone, href }: { label: string; value: ComponentChildren; more?: ComponentChildren; tone?: Tone; href?: string }) {
  const inner = (
    <>
      <span class="label">{label}</span>
      <span class={`value num ${tone ?? ''}`}>{value}</span>
      <span class="more">{more ?? '\u00a0'}</span>
    </>
  );
  return href ? (
    <a class="card tile" href={href}>
      {inner}
    </a>
  ) : (
    <div class="card tile">{inner}</div>
  );
}
