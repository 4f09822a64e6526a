import { pathOf } from '../forms/paths';
import { t, type Key } from '../i18n';
import { Badge, Icon } from '../ui';
import { healthOf, type RouteLocation } from './layout';

const tones = { ok: 'ok', some: 'warn', none: 'bad', unknown: 'mute' } as const;

/** RouteCards is the map for narrow screens: the way of each location from top to bottom, in the order they are tried. */
export function RouteCards({ locations, server }: { locations: RouteLocation[]; server: string }) {
  return (
    <ol class="route-cards" aria-label={t('routes.caption', { server })}>
      {locations.map((l) => (
        <li class="card">
          <div class="row">
            <span class="order num">{l.order}</span>
            <a class="strong cut grow" href={pathOf('location', l.name)}>
              {l.name}
            </a>
            <span class="muted small num">{l.weight}</span>
          </div>
          <p class="mono small match">
            <span class="muted">{(l.host ?? []).join(', ') || t('objects.any_host')}</span> {l.path || t('objects.any_path')} <Badge>{t(`routes.kind.${l.kind}` as Key)}</Badge>
          </p>
          {(l.plugins ?? []).length > 0 && (
            <p class="refs wrap">
              {l.plugins!.map((p) => (
                <a class="chip" href={pathOf('plugin', p.name)}>
                  {p.name}
                </a>
              ))}
            </p>
          )}
          <p class="row way">
            <Icon name="right" />
            {l.upstream ? (
              <>
                <a class="cut" href={pathOf('upstream', l.upstream)}>
                  {l.upstream}
                </a>
                {l.total > 0 && (
                  <Badge tone={tones[healthOf(l.healthy, l.total)]} dot>
                    {l.healthy}/{l.total}
                  </Badge>
                )}
              </>
            ) : (
              <span class="muted">{t('routes.answers_itself')}</span>
            )}
          </p>
        </li>
      ))}
    </ol>
  );
}
