import { useLayoutEffect, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { Badge, Button, IconButton, Input } from '../ui';
import { asList, type WidgetProps } from './parts';

/** isKept says whether an entry stands for a secret that stays as it is: *** and its number. */
function isKept(text: string): boolean {
  return /^\*\*\*\d*$/.test(text);
}

/** ListWidget edits a list of texts, an entry a line. Pasting several lines adds several entries. */
export function ListWidget(p: WidgetProps) {
  const list = asList(p.value);
  const box = useRef<HTMLDivElement>(null);
  const set = (next: string[]) => p.onChange(next.length === 0 ? undefined : next);
  // The entry that is to have the caret once it is there.
  const wanted = useRef(-1);
  const focus = (at: number) => (wanted.current = at);
  useLayoutEffect(() => {
    if (wanted.current >= 0) box.current?.querySelectorAll('input')[wanted.current]?.focus();
    wanted.current = -1;
  });
  const add = () => {
    set([...list, '']);
    focus(list.length);
  };
  const drop = (at: number) => {
    set(list.filter((_, i) => i !== at));
    focus(Math.min(at, list.length - 2));
  };
  const key = (e: KeyboardEvent, at: number) => {
    if (e.key === 'Enter') {
      e.preventDefault();
      set([...list.slice(0, at + 1), '', ...list.slice(at + 1)]);
      focus(at + 1);
    } else if (e.key === 'Backspace' && list[at] === '') {
      e.preventDefault();
      drop(at);
    }
  };
  const paste = (e: ClipboardEvent, at: number) => {
    const lines = (e.clipboardData?.getData('text') ?? '').split(/\r?\n/).map((l) => l.trim());
    if (lines.length < 2) return;
    e.preventDefault();
    set([...list.slice(0, at), ...(list[at] ? [list[at]] : []), ...lines.filter(Boolean), ...list.slice(at + 1)]);
  };
  return (
    <div class="entries" ref={box} role="group" id={list.length === 0 ? undefined : p.id} aria-describedby={p.describedby} aria-label={p.of.name}>
      {list.map((text, i) => (
        <div class="entry">
          {p.of.secret && isKept(text) ? (
            <span class="grow">
              <Badge tone="info">{t('forms.kept_entry', { n: i + 1 })}</Badge>
            </span>
          ) : (
            <Input
              class="mono"
              aria-label={t('forms.entry', { key: p.of.name, n: i + 1 })}
              aria-invalid={p.invalid || undefined}
              disabled={p.disabled}
              value={text}
              onInput={(e) => set(list.map((old, at) => (at === i ? e.currentTarget.value : old)))}
              onKeyDown={(e) => key(e, i)}
              onPaste={(e) => paste(e, i)}
            />
          )}
          <IconButton small icon="close" disabled={p.disabled} label={t('forms.remove_entry', { n: i + 1 })} onClick={() => drop(i)} />
        </div>
      ))}
      <Button small kind="quiet" icon="plus" id={list.length === 0 ? p.id : undefined} disabled={p.disabled} onClick={add}>
        {t('forms.add_entry')}
      </Button>
    </div>
  );
}
