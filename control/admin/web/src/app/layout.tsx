import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { logout, session } from '../api/client';
import { ChangeBar } from '../changes/bar';
import { language, setLanguage, t } from '../i18n';
import { IconButton } from '../ui/basics';
import { Icon } from '../ui/icons';
import { Menu } from '../ui/menu';
import { Palette } from './palette';
import { pages, type PageDef } from './pages';
import { Health } from './health';
import { Circumstances, useInstance, useReadInstance } from './instance';
import { Shortcuts } from './shortcuts';
import { useStore } from './store';
import { setTheme, theme } from './theme';

/** Layout is the sidebar (a drawer on narrow screens), the bar at the top, and the page. */
export function Layout({ page, children }: { page?: PageDef; children: ComponentChildren }) {
  const [drawer, setDrawer] = useState(false);
  const [palette, setPalette] = useState(false);
  useReadInstance();
  useEffect(() => setDrawer(false), [page]);
  return (
    <div class="house">
      <a class="skip" href="#main" onClick={skip}>
        {t('app.skip')}
      </a>
      <Side page={page} open={drawer} close={() => setDrawer(false)} />
      <div class="main-col">
        <header class="top-bar">
          <IconButton class="only-narrow" icon="menu" label={t('app.menu')} aria-expanded={drawer} onClick={() => setDrawer(true)} />
          <button type="button" class="jump" onClick={() => setPalette(true)}>
            <Icon name="search" />
            <span class="grow">{t('palette.title')}</span>
            <kbd class="only-wide">Ctrl K</kbd>
          </button>
          <span class="grow" />
          <Health />
          <Settings />
        </header>
        <main id="main" tabIndex={-1}>
          <Circumstances page={page} />
          {children}
        </main>
        <ChangeBar />
      </div>
      <Bottom page={page} more={() => setDrawer(true)} />
      {palette && <Palette close={() => setPalette(false)} />}
      <Shortcuts palette={() => setPalette(true)} />
    </div>
  );
}

function skip(e: Event) {
  e.preventDefault();
  document.getElementById('main')?.focus();
}

const groups = ['observe', 'configure', 'change'] as const;

function Side({ page, open, close }: { page?: PageDef; open: boolean; close: () => void }) {
  useEffect(() => {
    if (!open) return;
    const key = (e: KeyboardEvent) => e.key === 'Escape' && close();
    addEventListener('keydown', key);
    document.querySelector<HTMLElement>('.side a')?.focus();
    return () => removeEventListener('keydown', key);
  }, [open]);
  return (
    <>
      {open && <div class="veil" onClick={close} />}
      <nav class={open ? 'side open' : 'side'} aria-label={t('app.menu')}>
        <Brand />
        {groups.map((group) => (
          <div class="group" role="group" aria-labelledby={`nav-${group}`}>
            <div class="label" id={`nav-${group}`}>
              {t(`nav.group.${group}`)}
            </div>
            {pages
              .filter((p) => p.group === group)
              .map((p) => (
                <a href={`#${p.path}`} aria-current={p === page ? 'page' : undefined}>
                  <Icon name={p.icon} />
                  {t(p.title)}
                </a>
              ))}
          </div>
        ))}
      </nav>
    </>
  );
}

/** Brand is the logo, and the name of the instance where it has one: somebody with two panels open sees which one this is. */
function Brand() {
  const { instance: name } = useInstance();
  return (
    <a class="brand" href="#/">
      <Logo />
      <span>
        pingap
        {name && <span class="name cut" title={name}>{name}</span>}
      </span>
    </a>
  );
}

function Logo() {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="#4653d8" />
      <path d="M7 16h5m0 0 5-6h3m-8 6 5 6h3" fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round" />
      <circle cx="23.5" cy="10" r="2.6" fill="#fff" />
      <circle cx="23.5" cy="22" r="2.6" fill="#fff" />
    </svg>
  );
}

const below = ['/', '/routes', '/logs', '/history'];

function Bottom({ page, more }: { page?: PageDef; more: () => void }) {
  return (
    <nav class="bottom" aria-label={t('app.short')}>
      {below.map((path) => {
        const p = pages.find((q) => q.path === path)!;
        return (
          <a href={`#${path}`} aria-current={p === page ? 'page' : undefined}>
            <Icon name={p.icon} />
            {t(p.title)}
          </a>
        );
      })}
      <button type="button" onClick={more}>
        <Icon name="menu" />
        {t('app.more')}
      </button>
    </nav>
  );
}

function Settings() {
  const chosen = useStore(theme);
  const who = useStore(session);
  const lang = language();
  const themes = [
    { label: t('theme.system'), icon: 'screen' as const, checked: chosen === 'system', run: () => setTheme('system') },
    { label: t('theme.light'), icon: 'sun' as const, checked: chosen === 'light', run: () => setTheme('light') },
    { label: t('theme.dark'), icon: 'moon' as const, checked: chosen === 'dark', run: () => setTheme('dark') },
  ];
  const languages = [
    { label: 'English', checked: lang === 'en', run: () => void setLanguage('en') },
    { label: '中文', checked: lang === 'zh', run: () => void setLanguage('zh') },
  ];
  const user = who?.how === 'session' ? [{ label: t('login.out'), icon: 'exit' as const, run: () => void logout() }] : [];
  return (
    <>
      <Menu label={t('theme.title')} icon={chosen === 'system' ? 'screen' : chosen === 'dark' ? 'moon' : 'sun'} items={themes} />
      <Menu label={t('app.language')} icon="globe" items={languages} />
      <Menu label={t('app.user', { user: who?.user ?? '' })} icon="user" items={[{ label: `${who?.user} · ${t(who?.role === 'write' ? 'role.write' : 'role.read')}`, icon: 'user', href: '#/audit' }, { label: t('shortcuts.title'), icon: 'info', run: () => dispatchEvent(new CustomEvent('pingap-help')) }, ...user]} />
    </>
  );
}
