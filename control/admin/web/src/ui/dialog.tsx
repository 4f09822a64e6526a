import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { store, useStore } from '../app/store';
import { Button, IconButton } from './basics';

type Props = { title: ComponentChildren; children?: ComponentChildren; footer?: ComponentChildren; wide?: boolean; onClose: () => void };

/** Dialog is a native modal one while it is rendered: the browser keeps the focus inside and gives it back. */
export function Dialog({ title, children, footer, wide, onClose }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current!;
    const before = document.activeElement as HTMLElement | null;
    dialog.showModal();
    return () => {
      dialog.close();
      before?.focus?.();
    };
  }, []);
  const cancel = (e: Event) => {
    e.preventDefault();
    onClose();
  };
  return (
    <dialog ref={ref} class={wide ? 'dialog wide' : 'dialog'} aria-labelledby={id} onCancel={cancel} onClick={(e) => e.target === ref.current && onClose()}>
      <header>
        <h2 id={id}>{title}</h2>
        <IconButton icon="close" label={t('common.close')} onClick={onClose} />
      </header>
      <div class="body">{children}</div>
      {footer && <footer>{footer}</footer>}
    </dialog>
  );
}

type Question = { title: string; text?: ComponentChildren; yes?: string; danger?: boolean; answer: (yes: boolean) => void };
const question = store<Question | null>(null);

/** confirm asks, and resolves with what was chosen. */
export function confirm(q: Omit<Question, 'answer'>): Promise<boolean> {
  return new Promise((resolve) => {
    question.set({
      ...q,
      answer: (yes) => {
        question.set(null);
        resolve(yes);
      },
    });
  });
}

/** Questions shows what confirm asks; it is once in the layout. */
export function Questions() {
  const q = useStore(question);
  if (!q) return null;
  return (
    <Dialog
      title={q.title}
      onClose={() => q.answer(false)}
      footer={
        <>
          <Button onClick={() => q.answer(false)}>{t('common.cancel')}</Button>
          <Button kind={q.danger ? 'danger primary' : 'primary'} onClick={() => q.answer(true)}>
            {q.yes ?? t('common.ok')}
          </Button>
        </>
      }
    >
      {q.text}
    </Dialog>
  );
}
