import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Explanation } from '../api/types';
import { link } from '../app/router';
import { t } from '../i18n';
import { Badge, Button, Icon, Note, type IconName, type Tone } from '../ui';

/** Steps is the way of a request from the listener to its answer, one below the other. */
export function Steps({ said }: { said: Explanation }) {
  return (
    <ol class="steps">
      <Step icon="server" title={t('explain.arrives')} badge={<Badge tone="accent">{said.server || '–'}</Badge>}>
        <p><code>{said.request.method} {said.request.host}{said.request.path}</code></p>
        {said.request.normalized !== said.request.path && <p class="muted">{t('explain.normalized')} <code>{said.request.normalized}</code></p>}
        <p class="muted small">{[said.request.protocol === 'h2' ? 'HTTP/2' : 'HTTP/1.1', said.request.call, said.request.tunnel && t('explain.tunnel')].filter(Boolean).join(' · ')}</p>
        {said.certificate && <p class="muted small">{t('explain.certificate')} <a href={link('/certificates', { name: said.certificate })}>{said.certificate}</a></p>}
        {said.listener && <p class="muted small">{t('explain.listener')} <code>{said.listener}</code></p>}
      </Step>
      <Locations said={said} />
      {(said.plugins?.length ?? 0) > 0 && <Plugins said={said} />}
      {said.rewrite && (
        <Step icon="edit" title={t('explain.rewrite')}>
          <p><code>{said.rewrite.from}</code> → <code>{said.rewrite.to}</code></p>
        </Step>
      )}
      {(said.headers?.length ?? 0) > 0 && <Headers said={said} />}
      {said.upstream && <Upstream said={said} />}
      <Answer said={said} />
      {(said.notes?.length ?? 0) > 0 && <li class="notes">{said.notes!.map((n) => <Note>{n}</Note>)}</li>}
    </ol>
  );
}

function Step({ icon, title, badge, tone, children }: { icon: IconName; title: ComponentChildren; badge?: ComponentChildren; tone?: Tone; children?: ComponentChildren }) {
  return (
    <li class={`step ${tone ?? ''}`}>
      <span class="mark"><Icon name={icon} /></span>
      <div class="card step-body">
        <h2 class="row wrap">{title} {badge}</h2>
        {children}
      </div>
    </li>
  );
}

// some locations that lost are shown at once; the rest on demand.
const some = 12;

function Locations({ said }: { said: Explanation }) {
  const [all, setAll] = useState(false);
  const tried = said.locations ?? [];
  const shown = all ? tried : tried.filter((l, i) => i < some || l.matched);
  const badge = said.location ? <a href={link('/locations', { name: said.location })}><Badge tone="ok">{said.location}</Badge></a> : <Badge tone="bad">{t('explain.nolocation')}</Badge>;
  return (
    <Step icon="branch" title={t('explain.locations')} badge={badge} tone={said.location ? undefined : 'bad'}>
      <ul class="tried">
        {shown.map((l) => (
          <li class={l.matched ? 'won' : ''}>
            <Icon name={l.matched ? 'check' : 'close'} />
            <span class="name">{l.name}</span>
            <span class="muted num only-wide">{l.weight}</span>
            <span class="why">{l.why}</span>
          </li>
        ))}
      </ul>
      {(shown.length < tried.length || said.more) && (
        <p class="row">
          {shown.length < tried.length && <Button small onClick={() => setAll(true)}>{t('explain.all', { n: tried.length })}</Button>}
          {said.more ? <span class="muted">{t('explain.further', { n: said.more })}</span> : null}
        </p>
      )}
    </Step>
  );
}

const verdicts: Record<string, Tone> = { passes: 'ok', answers: 'warn', changes: 'info', unknown: 'mute', off: 'mute' };

function Plugins({ said }: { said: Explanation }) {
  return (
    <Step icon="plug" title={t('nav.plugins')}>
      <ul class="tried">
        {said.plugins!.map((p) => (
          <li>
            <Badge tone={verdicts[p.verdict]}>{t(`verdict.${p.verdict}`)}{p.status ? ` ${p.status}` : ''}</Badge>
            <a class="name" href={link('/plugins', { name: p.name })}>{p.name}</a>
            <span class="muted small">{p.category} · {p.step}</span>
            <span class="why">{p.why}</span>
          </li>
        ))}
      </ul>
    </Step>
  );
}

function Headers({ said }: { said: Explanation }) {
  return (
    <Step icon="list" title={t('explain.fields')}>
      <ul class="tried">
        {said.headers!.map((h) => (
          <li>
            <Badge tone={h.op === 'remove' ? 'bad' : 'info'}>{h.op}</Badge>
            <code class="why">{h.name}{h.op === 'remove' ? '' : `: ${h.value}`}</code>
          </li>
        ))}
      </ul>
    </Step>
  );
}

function Upstream({ said }: { said: Explanation }) {
  const u = said.upstream!;
  return (
    <Step icon="layers" title={t('dash.upstream')} badge={<a href={link('/upstreams', { name: u.name })}><Badge tone="accent">{u.name}</Badge></a>} tone={u.chosen ? undefined : 'bad'}>
      <p class="muted">{t('explain.algorithm')} <code>{u.algorithm}</code> · {u.protocol}</p>
      <ul class="tried">
        {(u.backends ?? []).map((b) => (
          <li class={b.chosen ? 'won' : ''}>
            <Icon name={b.chosen ? 'check' : b.healthy ? 'right' : 'close'} />
            <span class="name mono">{b.addr}</span>
            <Badge tone={b.healthy ? 'ok' : 'bad'}>{t(b.healthy ? 'backend.healthy' : 'backend.unhealthy')}</Badge>
            <span class="why">{b.why}</span>
          </li>
        ))}
      </ul>
    </Step>
  );
}

function Answer({ said }: { said: Explanation }) {
  if (said.answer) {
    return (
      <Step icon={said.answer.status >= 400 ? 'warn' : 'check'} title={t('explain.answer')} badge={<Badge tone={said.answer.status >= 500 ? 'bad' : said.answer.status >= 400 ? 'warn' : 'ok'}>{said.answer.status}</Badge>} tone={said.answer.status >= 400 ? 'bad' : 'ok'}>
        <p>{said.answer.grpc_name && <code>grpc-status {said.answer.grpc_status} {said.answer.grpc_name}</code>} {said.answer.why}</p>
      </Step>
    );
  }
  if (!said.upstream?.chosen) return null;
  return (
    <Step icon="check" title={t('explain.passed')} tone="ok">
      <p><code>{said.upstream.chosen}</code></p>
    </Step>
  );
}
