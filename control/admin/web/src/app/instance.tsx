import { useEffect } from 'preact/hooks';
import { mayWrite } from '../api/client';
import { useResource } from '../api/hooks';
import type { Instance } from '../api/types';
import { t } from '../i18n';
import { Note } from '../ui/basics';
import type { PageDef } from './pages';
import { store, useStore } from './store';

const instance = store<Instance>({ instance: '', panel_only: false, writable: '' });

/** useInstance is what holds for all pages: the name of the instance, and what becomes of what is saved. */
export function useInstance(): Instance {
  return useStore(instance);
}

/** useReadInstance reads it once for all who use it, and again after each change that is made here. */
export function useReadInstance(): void {
  const { data } = useResource<Instance>('/objects?brief');
  useEffect(() => data && instance.set(data), [data]);
}

/** useMayEdit says whether changes of the configuration are offered: some roles may not, and some sources cannot be written by anybody. */
export function useMayEdit(): boolean {
  return useInstance().writable === '' && mayWrite();
}

/** Circumstances say on each page what would surprise there: that nothing is served, or that nothing can be saved. */
export function Circumstances({ page }: { page?: PageDef }) {
  const { panel_only: alone, writable: why } = useInstance();
  const edits = page?.group === 'configure' || page?.group === 'change';
  if (!alone && !(why && edits)) return null;
  return (
    <div class="stack circumstances">
      {alone && <Note tone="warn">{t('instance.alone')}</Note>}
      {why && edits && <Note tone="warn">{t('instance.unwritable', { why })}</Note>}
    </div>
  );
}
