import type { Certificate } from '../api/types';
import { t } from '../i18n';
import { Badge, type Tone } from '../ui';
import { known } from '../ui/time';

/** Days is how long a certificate is valid, in the colour of how urgent that is. */
export function Days({ certificate: c }: { certificate: Certificate }) {
  if (!known(c.not_after)) return <Badge tone={c.last_error ? 'bad' : 'mute'}>{t(c.busy ? 'certs.busy' : 'certs.noneyet')}</Badge>;
  const tone: Tone = c.days_left < 7 ? 'bad' : c.days_left < 21 ? 'warn' : 'ok';
  return <Badge tone={tone}>{c.days_left < 0 ? t('certs.expired') : t('dash.days', { n: c.days_left })}</Badge>;
}
