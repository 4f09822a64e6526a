import type { ObjectOne } from '../api/types';
import { refOf } from '../forms/paths';
import { t } from '../i18n';
import { Badge, Card, Time } from '../ui';
import { Days, Health } from './columns';
import { useHealth, useValidity } from './data';

/** Where says what uses an object, what it uses, and where its text stands. */
export function Where({ one }: { one: ObjectOne }) {
  const users = one.used_by ?? [];
  const uses = one.uses ?? [];
  return (
    <Card title={t('objects.where')}>
      <dl class="facts">
        {one.category !== 'basic' && one.category !== 'server' && one.category !== 'certificate' && (
          <>
            <dt>{t('objects.used_by')}</dt>
            <dd>{users.length > 0 ? <References list={users} /> : <Badge tone="warn">{t('objects.unused')}</Badge>}</dd>
          </>
        )}
        {uses.length > 0 && (
          <>
            <dt>{t('objects.uses')}</dt>
            <dd>
              <References list={uses} />
            </dd>
          </>
        )}
        {one.file && (
          <>
            <dt>{t('objects.place')}</dt>
            <dd class="mono small">
              {one.file}
              {one.line ? `:${one.line}` : ''}
            </dd>
          </>
        )}
        <dt>{t('objects.version')}</dt>
        <dd class="num">{one.version}</dd>
      </dl>
    </Card>
  );
}

function References({ list }: { list: string[] }) {
  return (
    <span class="refs wrap">
      {list.slice(0, 12).map((r) => {
        const ref = refOf(r);
        return (
          <a class="chip cut" href={ref.href}>
            <span class="muted">{ref.category}</span> {ref.name}
          </a>
        );
      })}
      {list.length > 12 && <span class="muted small">+{list.length - 12}</span>}
    </span>
  );
}

/** Facts is how the object does right now, for upstreams and certificates. */
export function Facts({ category, name }: { category: string; name: string }) {
  if (category === 'upstream') return <Backends name={name} />;
  if (category === 'certificate') return <Certificate name={name} />;
  return null;
}

function Backends({ name }: { name: string }) {
  const health = useHealth(true).get(name);
  if (!health) return null;
  const backends = health.backends ?? [];
  return (
    <Card title={t('nav.backends')} actions={<Health of={health} />}>
      {(health.problems ?? []).map((p) => (
        <p class="small bad-text">{p}</p>
      ))}
      <ul class="plain-list backends">
        {backends.slice(0, 20).map((b) => (
          <li>
            <span class={`dot ${b.admin !== 'up' ? 'warn' : b.health === 'unhealthy' ? 'bad' : 'ok'}`} />
            <span class="mono small cut grow">{b.address}</span>
            <span class="muted small cut" title={b.reason}>
              {b.admin !== 'up' ? b.admin : b.health === 'unhealthy' ? b.reason || b.health : b.health}
            </span>
          </li>
        ))}
        {backends.length > 20 && <li class="muted small">+{backends.length - 20}</li>}
      </ul>
    </Card>
  );
}

function Certificate({ name }: { name: string }) {
  const found = useValidity(true).get(name);
  if (!found) return null;
  return (
    <Card title={t('nav.validity')} actions={<Days of={found} />}>
      <dl class="facts">
        {found.not_after && !found.not_after.startsWith('0001') && (
          <>
            <dt>{t('objects.not_after')}</dt>
            <dd>
              <Time at={found.not_after} exact />
            </dd>
          </>
        )}
        {found.issuer && (
          <>
            <dt>{t('objects.issuer')}</dt>
            <dd>{found.issuer}</dd>
          </>
        )}
        <dt>{t('objects.domains')}</dt>
        <dd class="mono small">{(found.domains ?? []).join(', ') || '–'}</dd>
        {found.last_error && (
          <>
            <dt>{t('objects.last_error')}</dt>
            <dd class="bad-text">{found.last_error}</dd>
          </>
        )}
      </dl>
    </Card>
  );
}
