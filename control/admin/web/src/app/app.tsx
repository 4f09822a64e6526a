import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { session } from '../api/client';
import { t, useLanguage } from '../i18n';
import { Empty, LinkButton, Page, Skeleton } from '../ui/basics';
import { Questions } from '../ui/dialog';
import { Toasts } from '../ui/toast';
import { Login } from '../login/page';
import { useInstance } from './instance';
import { Layout } from './layout';
import { pages, type PageDef } from './pages';
import { useRoute } from './router';
import { useStore } from './store';

/** App is the login or the house with one page in it. */
export function App() {
  const who = useStore(session);
  const language = useLanguage();
  return (
    <div key={language} class="app">
      {who ? <House /> : <Login />}
      <Questions />
      <Toasts />
    </div>
  );
}

function House() {
  const route = useRoute();
  const def = pages.find((p) => p.path === route.path) ?? (route.path === '/login' ? pages[0] : undefined);
  const { instance: name } = useInstance();
  useEffect(() => {
    document.title = [def && t(def.title), name, 'pingap'].filter(Boolean).join(' · ');
    return () => void (document.title = 'pingap'); // nobody who is not logged in is told the name
  }, [def, name]);
  return <Layout page={def}>{def ? <Loaded def={def} key={def.path} /> : <Missing />}</Layout>;
}

type Loading = { def?: PageDef; Component?: ComponentType<any>; failed?: boolean };

function Loaded({ def }: { def: PageDef }) {
  const [state, set] = useState<Loading>({});
  useEffect(() => {
    let wanted = true;
    def.load().then(
      (m) => wanted && set({ def, Component: m.default }),
      () => wanted && set({ def, failed: true }),
    );
    return () => {
      wanted = false;
    };
  }, [def]);
  if (state.def !== def) {
    return (
      <Page title={t(def.title)}>
        <Skeleton />
      </Page>
    );
  }
  // After an upgrade of the proxy the parts of the old panel are gone: the new one is one reload away.
  if (state.failed) return <Empty icon="warn" title={t('app.newer')} action={<button type="button" class="btn primary" onClick={() => location.reload()}>{t('app.reload')}</button>} />;
  const Component = state.Component!;
  return <Component {...def.props} />;
}

function Missing() {
  return <Empty icon="compass" title={t('app.missing')} action={<LinkButton href="#/">{t('nav.dashboard')}</LinkButton>} />;
}
