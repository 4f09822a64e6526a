import { useEffect, useMemo, useState } from 'preact/hooks';
import { get } from '../api/client';
import { useResource } from '../api/hooks';
import { useStream, type StreamState } from '../api/stream';
import type { Inventory, Live, Series } from '../api/types';
import { t } from '../i18n';
import { Badge, Card, Page, Segments, Select, Skeleton } from '../ui';
import { useIdle } from '../ui/idle';
import './dashboard.css';
import { Graphs } from './graphs';
import { Applies, BackendTable, CertificateTable, LocationTable, ProcessTable, UpstreamTable } from './tables';
import { extend, names, note, pastOf, type Past } from './live';
import { Tiles } from './tiles';

/** Dashboard is what goes on now and went on in the last hour. */
export default function Dashboard() {
  const [live, setLive] = useState<Live>();
  const [of, setOf] = useState('total');
  const [minutes, setMinutes] = useState<'5' | '15' | '60'>('60');
  const [past, setPast] = usePast(of, minutes);
  const certificates = useResource<Inventory>('/inventory', 60_000);
  const state = useStream('/live/stream', {
    live: (data) => {
      const sample = data as Live;
      note(sample);
      setLive(sample);
      setPast((p) => p && extend(p, sample, of));
    },
  });
  const calm = useIdle(live);
  return (
    <Page title={t('nav.dashboard')} actions={<StreamBadge state={state} />}>
      <Tiles live={live} certificates={certificates.data} />
      <div class="row wrap graph-head">
        <h2>{t('dash.graphs')}</h2>
        <Of live={calm} value={of} onChange={setOf} />
        <Segments label={t('dash.range')} value={minutes} onChange={setMinutes} options={[{ value: '5', label: '5 min' }, { value: '15', label: '15 min' }, { value: '60', label: '1 h' }]} />
      </div>
      <Graphs past={past} whole={of === 'total'} />
      {calm ? <Tables live={calm} certificates={certificates.data} /> : <Card><Skeleton lines={6} /></Card>}
    </Page>
  );
}

/** Of chooses what the graphs are of. Its hundreds of choices are looked at again only when there are others. */
function Of({ live, value, onChange }: { live?: Live; value: string; onChange: (of: string) => void }) {
  const names = [live?.locations, live?.upstreams].map((all) => all?.map((o) => o.name).sort() ?? []);
  return useMemo(
    () => (
      <label class="row small">
        <span class="muted">{t('dash.of')}</span>
        <Select small options={choicesOf(names[0], names[1])} value={value} onChange={(e) => onChange(e.currentTarget.value)} />
      </label>
    ),
    [names.join('\n'), value],
  );
}

/** Tables come all at once, when the first sample is there: one after the other they would push each other down. */
function Tables({ live, certificates }: { live: Live; certificates?: Inventory }) {
  return (
    <>
      <div class="dash-two">
        <LocationTable live={live} />
        <UpstreamTable live={live} />
      </div>
      <BackendTable live={live} />
      <div class="dash-two">
        <ProcessTable live={live} />
        <CertificateTable data={certificates} />
      </div>
      <Applies />
    </>
  );
}

// usePast reads the graphs anew when another object or range is chosen, and now and then, as live samples are only almost the same.
function usePast(of: string, minutes: string) {
  const [past, setPast] = useState<Past>();
  useEffect(() => {
    let wanted = true;
    setPast(undefined);
    const read = () =>
      get<Series>('/live/history', { query: { series: names.join(','), of, minutes } }).then(
        ({ data }) => wanted && setPast(pastOf(data)),
        () => undefined, // the stream says that there is no answer
      );
    void read();
    const id = setInterval(() => document.visibilityState === 'visible' && void read(), 120_000);
    return () => {
      wanted = false;
      clearInterval(id);
    };
  }, [of, minutes]);
  return [past, setPast] as const;
}

function choicesOf(locations: string[], upstreams: string[]) {
  return [
    { value: 'total', label: t('dash.whole') },
    ...locations.map((name) => ({ value: `location:${name}`, label: `${t('dash.location')} ${name}` })),
    ...upstreams.map((name) => ({ value: `upstream:${name}`, label: `${t('dash.upstream')} ${name}` })),
  ];
}

export function StreamBadge({ state }: { state: StreamState }) {
  const tone = state === 'open' ? 'ok' : state === 'lost' ? 'bad' : 'mute';
  return (
    <Badge tone={tone} dot>
      {t(`stream.${state}`)}
    </Badge>
  );
}
