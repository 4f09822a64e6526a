import { useEffect, useState } from 'preact/hooks';
import { t } from '../i18n';
import { Dialog } from '../ui/dialog';
import { pages } from './pages';
import { navigate } from './router';

// typing says whether a key belongs to what is being written.
function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** Shortcuts listens for keys, and shows them all for "?". */
export function Shortcuts({ palette }: { palette: () => void }) {
  const [help, setHelp] = useState(false);
  useEffect(() => {
    let g = 0; // when "g" was pressed; the next key within a second chooses the page
    const key = (e: KeyboardEvent) => {
      if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === 'k') {
        e.preventDefault();
        palette();
        return;
      }
      if (typing(e.target) || e.ctrlKey || e.metaKey || e.altKey || document.querySelector('dialog[open]')) return;
      if (e.key === '?') setHelp(true);
      else if (e.key === '/') focusSearch(e);
      else if (e.key === 'g') g = e.timeStamp;
      else if (e.timeStamp - g < 1000) {
        const page = pages.find((p) => p.keys === e.key);
        if (page) navigate(`#${page.path}`);
      }
    };
    const show = () => setHelp(true);
    addEventListener('keydown', key);
    addEventListener('pingap-help', show);
    return () => {
      removeEventListener('keydown', key);
      removeEventListener('pingap-help', show);
    };
  }, [palette]);
  return help ? <Sheet close={() => setHelp(false)} /> : null;
}

function focusSearch(e: Event) {
  const box = document.querySelector<HTMLElement>('[data-search]');
  if (!box) return;
  e.preventDefault();
  box.focus();
}

function Sheet({ close }: { close: () => void }) {
  return (
    <Dialog title={t('shortcuts.title')} onClose={close}>
      <dl class="keys">
        <dt><kbd>Ctrl</kbd><kbd>K</kbd></dt>
        <dd>{t('palette.title')}</dd>
        <dt><kbd>/</kbd></dt>
        <dd>{t('shortcuts.search')}</dd>
        <dt><kbd>?</kbd></dt>
        <dd>{t('shortcuts.title')}</dd>
        <dt><kbd>Esc</kbd></dt>
        <dd>{t('common.close')}</dd>
        {pages.filter((p) => p.keys).map((p) => (
          <>
            <dt><kbd>g</kbd><kbd>{p.keys}</kbd></dt>
            <dd>{t(p.title)}</dd>
          </>
        ))}
      </dl>
    </Dialog>
  );
}
