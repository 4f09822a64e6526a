import { useRoute } from '../app/router';
import { t } from '../i18n';
import { Icon } from '../ui/icons';
import { useDraft } from './store';
import './bar.css';

/** ChangeBar says how many changes wait in the draft, on every page but the one that shows them. */
export function ChangeBar() {
  const { items } = useDraft();
  const { path } = useRoute();
  if (items.length === 0 || path === '/changes') return null;
  const names = items.map((i) => i.name).slice(0, 4);
  return (
    <aside class="change-bar" aria-label={t('nav.changes')}>
      <Icon name="edit" />
      <strong>{t('draft.count', { n: items.length })}</strong>
      <span class="cut grow small only-wide">{names.join(', ') + (items.length > names.length ? ' …' : '')}</span>
      <span class="grow only-narrow" />
      <a class="btn small" href="#/changes">
        {t('draft.review')}
      </a>
    </aside>
  );
}
