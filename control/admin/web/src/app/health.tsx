import { useResource } from '../api/hooks';
import type { Status } from '../api/types';
import { t } from '../i18n';
import { Badge } from '../ui/basics';

/** Health is the state of the whole instance in the bar at the top; it leads to the workers. */
export function Health() {
  const { data, error } = useResource<Status>('/status', 5000);
  if (error) {
    return (
      <Badge tone="bad" dot>
        {t('health.lost')}
      </Badge>
    );
  }
  if (!data) return null;
  const tone = data.degraded.length > 0 ? 'bad' : data.settled ? 'ok' : 'warn';
  const word = data.degraded.length > 0 ? t('health.degraded') : data.settled ? t('health.well') : t('health.busy');
  return (
    <a href="#/workers" class="row" style={{ textDecoration: 'none' }} title={[...data.degraded, ...data.notes].join('\n') || undefined}>
      <Badge tone={tone} dot>
        {word}
      </Badge>
      <Badge>
        <span class="only-wide">{t('health.version')}</span> {data.config.version}
      </Badge>
    </a>
  );
}
