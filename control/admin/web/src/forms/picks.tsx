import { useContext } from 'preact/hooks';
import { t } from '../i18n';
import { Badge, Icon, IconButton, Input, Select } from '../ui';
import { pathOf } from './paths';
import { asList, asText, Names, tie, type WidgetProps } from './parts';

/** How many of a very long list are shown with their buttons; the text has all. */
const most = 200;
const other = '\u0000other';

/** PickWidget chooses one object, or takes $name of a variable. */
export function PickWidget(p: WidgetProps) {
  const names = useContext(Names)(p.of.refers!);
  const value = asText(p.value);
  const variable = value.startsWith('$');
  const known = names.includes(value);
  const options = [{ value: '', label: t(p.of.required ? 'forms.choose' : 'forms.not_set') }, ...names.map((n) => ({ value: n, label: n }))];
  if (value !== '' && !known && !variable) options.push({ value, label: t('forms.missing_name', { name: value }) });
  if (p.of.refers === 'upstream') options.push({ value: other, label: t('forms.variable') });
  const choose = (v: string) => p.onChange(v === other ? '$' : v || undefined);
  return (
    <div class="stack tight">
      <div class="row">
        <Select {...tie(p)} value={variable ? other : value} options={options} onChange={(e) => choose(e.currentTarget.value)} />
        {known && <Jump category={p.of.refers!} name={value} />}
      </div>
      {variable && <Input class="mono" aria-label={t('forms.variable')} disabled={p.disabled} value={value} onInput={(e) => p.onChange(e.currentTarget.value || undefined)} />}
    </div>
  );
}

function Jump({ category, name }: { category: string; name: string }) {
  const label = t('forms.open', { name });
  return (
    <a class="btn quiet icon small" href={pathOf(category, name)} aria-label={label} title={label}>
      <Icon name="right" />
    </a>
  );
}

/** PicksWidget chooses several, in an order that counts. */
export function PicksWidget(p: WidgetProps) {
  const names = useContext(Names)(p.of.refers!);
  const list = asList(p.value);
  const set = (next: string[]) => p.onChange(next.length === 0 ? undefined : next);
  const taken = new Set(list);
  const known = new Set(names);
  const left = names.filter((n) => !taken.has(n));
  const swap = (i: number, j: number) => {
    const next = [...list];
    [next[i], next[j]] = [next[j], next[i]];
    set(next);
  };
  const options = [{ value: '', label: t(left.length > 0 ? 'forms.add_name' : 'forms.no_more') }, ...left.map((n) => ({ value: n, label: n }))];
  return (
    <div class="entries">
      {list.length > 0 && (
        <ol class="picked" aria-label={p.of.name}>
          {list.slice(0, most).map((name, i) => (
            <li>
              <span class="n muted num">{i + 1}</span>
              <a class="cut grow" href={pathOf(p.of.refers!, name)}>
                {name}
              </a>
              {!known.has(name) && <Badge tone="bad">{t('forms.missing')}</Badge>}
              <IconButton small icon="up" disabled={p.disabled || i === 0} label={t('forms.move_up', { name })} onClick={() => swap(i, i - 1)} />
              <IconButton small icon="down" disabled={p.disabled || i === list.length - 1} label={t('forms.move_down', { name })} onClick={() => swap(i, i + 1)} />
              <IconButton small icon="close" disabled={p.disabled} label={t('forms.take_out', { name })} onClick={() => set(list.filter((n) => n !== name))} />
            </li>
          ))}
          {list.length > most && <li class="muted small">{t('forms.more_in_text', { n: list.length - most })}</li>}
        </ol>
      )}
      <Select
        {...tie(p)}
        small
        disabled={p.disabled || left.length === 0}
        value=""
        options={options}
        onChange={(e) => e.currentTarget.value && set([...list, e.currentTarget.value])}
      />
    </div>
  );
}
