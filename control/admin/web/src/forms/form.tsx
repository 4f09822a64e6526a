import { useMemo, useState } from 'preact/hooks';
import type { Place } from '../changes/errors';
import { t, type Key as Word } from '../i18n';
import { Badge, Empty, Icon, IconButton, Search } from '../ui';
import { checkValue, isEmpty, type Problem } from './check';
import { groupKeys, type Group } from './groups';
import { defaultText, widgetOf, type Key } from './schema';
import type { Value } from './toml/scan';
import { KeyWidget } from './widgets';
import './forms.css';

type FormProps = {
  category: string;
  keys: Key[];
  values: { [key: string]: Value };
  errors: Map<string, Place[]>;
  disabled?: boolean;
  onChange: (key: string, value: Value | undefined) => void;
};

/** ObjectForm shows every key of an object in groups: the first one open, others where something in them is set. */
export function ObjectForm(p: FormProps) {
  const [filter, setFilter] = useState('');
  const groups = useMemo(() => groupKeys(p.category, p.keys), [p.category, p.keys]);
  const words = filter.trim().toLowerCase();
  const shown =
    words === '' ? groups : groups.map((g) => ({ ...g, keys: g.keys.filter((k) => `${k.name} ${k.help ?? ''}`.toLowerCase().includes(words)) })).filter((g) => g.keys.length > 0);
  const unknown = Object.keys(p.values).filter((name) => !p.keys.some((k) => k.name === name));
  return (
    <div class="object-form">
      {p.keys.length > 12 && <Search value={filter} onInput={setFilter} label={t('forms.filter')} />}
      {shown.length === 0 && <Empty icon="search" title={t('forms.no_key')} />}
      {shown.map((g, i) => (
        <GroupCard key={g.name} group={g} form={p} first={i === 0} filtered={words !== ''} />
      ))}
      {unknown.length > 0 && <p class="small muted">{t('forms.unknown', { keys: unknown.join(', ') })}</p>}
    </div>
  );
}

/** groupTitle is the dictionary's word for a group, or what the server calls it. */
export function groupTitle(name: string): string {
  const word = `group.${name}` as Word;
  const text = t(word);
  return text === word ? name : text;
}

function GroupCard({ group, form, first, filtered }: { group: Group; form: FormProps; first: boolean; filtered: boolean }) {
  const set = group.keys.filter((k) => !isEmpty(form.values[k.name])).length;
  const wrong = group.keys.filter((k) => form.errors.has(k.name) || (form.values[k.name] !== undefined && checkValue(k, form.values[k.name]))).length;
  const [open, setOpen] = useState(first || set > 0);
  return (
    <details class="card keys-group" open={open || filtered || wrong > 0} onToggle={(e) => !filtered && setOpen(e.currentTarget.open)}>
      <summary>
        <Icon name="right" class="ic turn" />
        <h2>{groupTitle(group.name)}</h2>
        {wrong > 0 && <Badge tone="bad">{t('forms.n_wrong', { n: wrong })}</Badge>}
        {set > 0 && <Badge>{t('forms.n_set', { n: set })}</Badge>}
        {set === 0 && wrong === 0 && (
          <span class="muted small cut only-wide">
            {group.keys
              .slice(0, 4)
              .map((k) => k.name)
              .join(', ')}
          </span>
        )}
      </summary>
      {group.keys.map((k) => (
        <KeyRow key={k.name} of={k} value={form.values[k.name]} errors={form.errors.get(k.name) ?? []} disabled={form.disabled} onChange={(v) => form.onChange(k.name, v)} />
      ))}
    </details>
  );
}

type RowProps = { of: Key; value: Value | undefined; errors: Place[]; disabled?: boolean; onChange: (value: Value | undefined) => void };

/** KeyRow is one key: what it is and means on one side, its value on the other. */
export function KeyRow({ of, value, errors, disabled, onChange }: RowProps) {
  const id = `key-${of.name}`;
  const [touched, setTouched] = useState(false);
  const own = touched || value !== undefined ? checkValue(of, value) : undefined;
  const problems = errors.length > 0 ? errors.map((e) => placeText(e)) : own ? [problemText(own)] : [];
  const described = [of.help && `${id}-h`, problems.length > 0 && `${id}-e`].filter(Boolean).join(' ') || undefined;
  const change = (v: Value | undefined) => {
    setTouched(true);
    onChange(v);
  };
  return (
    <div class={value === undefined ? 'key-row' : 'key-row set'} data-key={of.name}>
      <div class="about">
        <div class="name">
          <label class="mono" for={id}>
            {of.name}
          </label>
          {of.required && <span class="must">{t('forms.required')}</span>}
          <ClassBadge of={of} />
        </div>
        {of.help && (
          <p class="help" id={`${id}-h`}>
            {of.help}
          </p>
        )}
        <Limits of={of} />
      </div>
      <div class="control">
        <div class="value-row">
          <div class="grow">
            <KeyWidget of={of} value={value} id={id} describedby={described} invalid={problems.length > 0} disabled={disabled} onChange={change} />
          </div>
          {value !== undefined && !of.required && <IconButton small icon="undo" disabled={disabled} label={t('forms.reset', { key: of.name })} onClick={() => change(undefined)} />}
        </div>
        {problems.length > 0 && (
          <div class="field-error" id={`${id}-e`} role="alert">
            <Icon name="warn" />
            <div>
              {problems.map((text) => (
                <div>{text}</div>
              ))}
            </div>
          </div>
        )}
      </div>
    </div>
  );
}

function ClassBadge({ of }: { of: Key }) {
  if (of.class === 'roll')
    return (
      <Badge tone="warn" title={t('class.roll.cost')}>
        {t('class.roll')}
      </Badge>
    );
  if (of.class === 'listeners')
    return (
      <Badge tone="info" title={t('class.listeners.cost')}>
        {t('class.listeners')}
      </Badge>
    );
  return null;
}

function Limits({ of }: { of: Key }) {
  const parts: string[] = [];
  const def = defaultText(of);
  if (def && widgetOf(of) !== 'flag') parts.push(t('forms.default_is', { value: def.length > 80 ? `${def.slice(0, 80)}…` : def }));
  const [min, max] = [of.min ?? undefined, of.max ?? undefined];
  if (min !== undefined && max !== undefined) parts.push(t('forms.between', { min, max }));
  else if (min !== undefined) parts.push(t('forms.at_least', { min }));
  else if (max !== undefined) parts.push(t('forms.at_most', { max }));
  if (of.unit) parts.push(of.unit);
  return parts.length > 0 ? <p class="limits">{parts.join(' · ')}</p> : null;
}

/** problemText says in words what the form found. */
export function problemText(problem: Problem): string {
  return t(`check.${problem.word}` as Word, { with: problem.with ?? '' });
}

/** placeText says what the server found, and where. */
export function placeText(place: Place): string {
  const at = place.file ? ` (${place.file}${place.line ? `:${place.line}` : ''})` : '';
  const expected = place.expected && !place.message.includes(place.expected) ? ` ${t('forms.expected', { what: place.expected })}` : '';
  return `${place.message}${expected}${at}`;
}
