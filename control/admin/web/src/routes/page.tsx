import { useMemo, useState } from 'preact/hooks';
import { useResource } from '../api/hooks';
import { link, navigate, useRoute } from '../app/router';
import { useObjects } from '../objects/data';
import { useNarrow } from '../ui/narrow';
import { t } from '../i18n';
import { Empty, Field, LinkButton, Note, Page, Search, Segments, Select, Skeleton } from '../ui';
import { matchText, type RouteLocation } from './layout';
import { RouteCards } from './cards';
import { RoutePicture } from './picture';
import { RouteTable } from './table';
import './routes.css';
import '../objects/objects.css';

type Answer = { server: string; locations: RouteLocation[] | null };

/** Routes is the map of a server: which location is tried when, what runs in it, and where it leads. */
export default function Routes() {
  const { query } = useRoute();
  const objects = useObjects();
  const servers = useMemo(() => (objects.data?.objects ?? []).filter((o) => o.category === 'server').map((o) => o.name), [objects.data]);
  const server = query.get('name') ?? servers[0] ?? '';
  const narrow = useNarrow('(max-width: 900px)');
  const [form, setForm] = useState<'map' | 'table'>('map');
  const choose = (
    <div class="route-choose">
      <Field label={t('objects.one.server')}>
        <Select value={server} options={servers.map((s) => ({ value: s, label: s }))} onChange={(e) => navigate(link('/routes', { name: e.currentTarget.value }))} />
      </Field>
      <Segments
        value={form}
        label={t('routes.form')}
        onChange={setForm}
        options={[
          { value: 'map', label: t('routes.map') },
          { value: 'table', label: t('routes.table') },
        ]}
      />
    </div>
  );
  if (objects.error)
    return (
      <Page title={t('nav.routes')}>
        <Note tone="bad">{objects.error.message}</Note>
      </Page>
    );
  if (!objects.data)
    return (
      <Page title={t('nav.routes')}>
        <Skeleton lines={8} />
      </Page>
    );
  if (servers.length === 0) {
    return (
      <Page title={t('nav.routes')}>
        <div class="card">
          <Empty
            icon="map"
            title={t('routes.no_server')}
            action={
              <LinkButton kind="primary" href="#/servers?name=*">
                {t('objects.add')}
              </LinkButton>
            }
          >
            {t('routes.no_server_hint')}
          </Empty>
        </div>
      </Page>
    );
  }
  return (
    <Page title={t('nav.routes')} lead={t('routes.lead')} actions={choose}>
      <ServerRoutes key={server} server={server} form={form} narrow={narrow} />
    </Page>
  );
}

function ServerRoutes({ server, form, narrow }: { server: string; form: 'map' | 'table'; narrow: boolean }) {
  const { data, error } = useResource<Answer>(`/routes/${encodeURIComponent(server)}`, 5000);
  const [search, setSearch] = useState('');
  // The order counts from 1, whatever the search leaves.
  const all = useMemo(() => (data?.locations ?? []).map((l, i) => ({ ...l, order: i + 1 })), [data]);
  const words = search.trim().toLowerCase();
  const shown = useMemo(
    () =>
      all.filter(
        (l) => words === '' || `${l.name} ${matchText(l)} ${l.upstream} ${(l.plugins ?? []).map((p) => `${p.name} ${p.category}`).join(' ')}`.toLowerCase().includes(words),
      ),
    [all, words],
  );
  if (error) return <Note tone="bad">{error.message}</Note>;
  if (!data) return <Skeleton lines={8} />;
  if (all.length === 0) {
    return (
      <div class="card">
        <Empty icon="branch" title={t('routes.none')} action={<LinkButton href={link('/servers', { name: server })}>{server}</LinkButton>}>
          {t('routes.none_hint')}
        </Empty>
      </div>
    );
  }
  return (
    <>
      {all.length > 8 && (
        <div class="row">
          <Search value={search} onInput={setSearch} label={t('objects.search')} />
          <span class="muted small num" role="status">
            {t('objects.count', { n: shown.length })}
          </span>
        </div>
      )}
      {shown.length === 0 ? (
        <Empty icon="search" title={t('objects.none_found')} />
      ) : form === 'table' ? (
        <RouteTable locations={shown} server={server} />
      ) : narrow ? (
        <RouteCards locations={shown} server={server} />
      ) : (
        <RoutePicture locations={shown} server={server}>
          <Legend />
        </RoutePicture>
      )}
    </>
  );
}

function Legend() {
  return (
    <p class="legend muted small">
      <span>
        <span class="dot ok" /> {t('routes.all_healthy')}
      </span>
      <span>
        <span class="dot warn" /> {t('routes.some_healthy')}
      </span>
      <span>
        <span class="dot bad" /> {t('routes.none_healthy')}
      </span>
      <span>{t('routes.order_hint')}</span>
    </p>
  );
}
