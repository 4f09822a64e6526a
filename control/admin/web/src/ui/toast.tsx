import type { ComponentChildren } from 'preact';
import { t } from '../i18n';
import { store, useStore } from '../app/store';
import { IconButton } from './basics';

type Entry = { id: number; tone: 'ok' | 'bad' | 'warn' | 'info'; text: ComponentChildren; action?: { label: string; run: () => void } };

const entries = store<Entry[]>([]);
let last = 0;

/** toast says in passing that something was done or failed. Failures stay until they are closed. */
export function toast(tone: Entry['tone'], text: ComponentChildren, action?: Entry['action']): void {
  const id = ++last;
  entries.set([...entries.get().slice(-3), { id, tone, text, action }]);
  if (tone !== 'bad') setTimeout(() => drop(id), action ? 12_000 : 5_000);
}

/** failed is a toast for what was thrown. */
export function failed(error: unknown): void {
  toast('bad', error instanceof Error ? error.message : String(error));
}

function drop(id: number) {
  entries.set(entries.get().filter((e) => e.id !== id));
}

export function Toasts() {
  const list = useStore(entries);
  return (
    <div class="toasts" role="region" aria-live="polite" aria-label={t('common.messages')}>
      {list.map((e) => (
        <div class={`toast ${e.tone}`} key={e.id} role={e.tone === 'bad' ? 'alert' : 'status'}>
          <p>{e.text}</p>
          {e.action && (
            <button
              type="button"
              class="btn small"
              onClick={() => {
                e.action!.run();
                drop(e.id);
              }}
            >
              {e.action.label}
            </button>
          )}
          <IconButton small icon="close" label={t('common.close')} onClick={() => drop(e.id)} />
        </div>
      ))}
    </div>
  );
}
