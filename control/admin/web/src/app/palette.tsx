import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { get } from '../api/client';
import type { ObjectList } from '../api/types';
import { t } from '../i18n';
import { Icon, type IconName } from '../ui/icons';
import { pages } from './pages';
import { link, navigate } from './router';

type Choice = { text: string; kind: string; href: string; icon: IconName };

/** Palette jumps to any page or object by some letters of its name. */
export function Palette({ close }: { close: () => void }) {
  const ref = useRef<HTMLDialogElement>(null);
  const [objects, setObjects] = useState<Choice[]>([]);
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  useEffect(() => {
    ref.current!.showModal();
    get<ObjectList>('/objects').then(({ data }) => setObjects(data.objects.map(objectChoice)), () => undefined);
  }, []);
  const all = useMemo(() => [...pages.map((p) => ({ text: t(p.title), kind: t('palette.page'), href: `#${p.path}`, icon: p.icon })), ...objects], [objects]);
  const found = useMemo(() => filter(all, text).slice(0, 40), [all, text]);
  const open = (c?: Choice) => {
    close();
    if (c) navigate(c.href);
  };
  const key = (e: KeyboardEvent) => {
    if (e.key === 'Enter') return open(found[at]);
    const step = e.key === 'ArrowDown' ? 1 : e.key === 'ArrowUp' ? -1 : 0;
    if (!step || found.length === 0) return;
    e.preventDefault();
    const next = (at + step + found.length) % found.length;
    setAt(next);
    document.getElementById(`choice-${next}`)?.scrollIntoView({ block: 'nearest' });
  };
  return (
    <dialog ref={ref} class="dialog palette" aria-label={t('palette.title')} onClose={close} onClick={(e) => e.target === ref.current && close()}>
      <div style={{ padding: 'var(--s3)' }}>
        <input class="input" role="combobox" aria-expanded="true" aria-controls="choices" aria-activedescendant={found[at] && `choice-${at}`} aria-label={t('palette.title')} placeholder={t('palette.hint')} autofocus value={text} onKeyDown={key}
          onInput={(e) => {
            setText(e.currentTarget.value);
            setAt(0);
          }}
        />
      </div>
      <div class="list" id="choices" role="listbox" aria-label={t('palette.title')}>
        {found.map((c, i) => (
          <div class="opt" role="option" id={`choice-${i}`} aria-selected={i === at} onClick={() => open(c)} onPointerMove={() => setAt(i)}>
            <Icon name={c.icon} />
            <span class="grow cut">{c.text}</span>
            <span class="opt-kind">{c.kind}</span>
          </div>
        ))}
        {found.length === 0 && <p class="muted" style={{ padding: 'var(--s3)' }}>{t('palette.none')}</p>}
      </div>
    </dialog>
  );
}

function objectChoice(o: ObjectList['objects'][number]): Choice {
  const page = pages.find((p) => p.props?.category === o.category);
  return { text: o.name || o.category, kind: o.category, href: link(page?.path ?? '/', { name: o.name }), icon: page?.icon ?? 'box' };
}

/** filter keeps what has all letters in their order, those with the letters together and early first. */
export function filter<C extends { text: string; kind: string }>(all: C[], text: string): C[] {
  const want = text.trim().toLowerCase();
  if (!want) return all;
  return all
    .map((c) => ({ c, score: score(`${c.text} ${c.kind}`.toLowerCase(), want) }))
    .filter((x) => x.score < Infinity)
    .sort((a, b) => a.score - b.score)
    .map((x) => x.c);
}

function score(text: string, want: string): number {
  const whole = text.indexOf(want);
  if (whole >= 0) return whole;
  let at = -1;
  let gaps = 100;
  for (const letter of want) {
    const next = text.indexOf(letter, at + 1);
    if (next < 0) return Infinity;
    gaps += next - at;
    at = next;
  }
  return gaps;
}
