import type { ComponentType } from 'preact';
import { t } from '../i18n';
import { Area, Button, IconButton, Input } from '../ui';
import { useEffect, useState } from 'preact/hooks';
import { asText, tie, type WidgetProps } from './parts';
import { Scanner, TomlError, type Value } from './toml/scan';
import { valueText } from './toml/write';

type Table = { [key: string]: Value };

function isTable(value: Value | undefined): value is Table {
  return typeof value === 'object' && !Array.isArray(value);
}

/** MapWidget edits pairs of name and value. */
export function MapWidget(p: WidgetProps) {
  const pairs = Object.entries(isTable(p.value) ? p.value : {});
  const set = (next: [string, Value][]) => p.onChange(next.length === 0 ? undefined : Object.fromEntries(next));
  const change = (at: number, pair: [string, Value]) => set(pairs.map((old, i) => (i === at ? pair : old)));
  return (
    <div class="entries" role="group" aria-label={p.of.name} aria-describedby={p.describedby}>
      {pairs.map(([key, value], i) => (
        <div class="entry">
          <Input class="mono" aria-label={t('forms.pair_name', { n: i + 1 })} disabled={p.disabled} value={key} onInput={(e) => change(i, [e.currentTarget.value, value])} />
          <Input
            class="mono"
            aria-label={t('forms.pair_value', { n: i + 1 })}
            disabled={p.disabled}
            value={asText(value)}
            onInput={(e) => change(i, [key, e.currentTarget.value])}
          />
          <IconButton small icon="close" disabled={p.disabled} label={t('forms.remove_entry', { n: i + 1 })} onClick={() => set(pairs.filter((_, at) => at !== i))} />
        </div>
      ))}
      <Button small kind="quiet" icon="plus" id={p.id} disabled={p.disabled || pairs.some(([k]) => k === '')} onClick={() => set([...pairs, ['', '']])}>
        {t('forms.add_entry')}
      </Button>
    </div>
  );
}

/** TablesWidget edits a list of tables, such as the users of combined_auth: a card for each. */
export function TablesWidget(p: WidgetProps & { render: ComponentType<WidgetProps> }) {
  const keys = p.of.keys ?? [];
  if (keys.length === 0) return <TomlWidget {...p} />;
  const list = Array.isArray(p.value) ? p.value.filter(isTable) : [];
  const set = (next: Table[]) => p.onChange(next.length === 0 ? undefined : next);
  const change = (at: number, name: string, value: Value | undefined) => set(list.map((table, i) => (i === at ? withKey(table, name, value) : table)));
  const Render = p.render;
  return (
    <div class="entries" role="group" aria-label={p.of.name} aria-describedby={p.describedby}>
      {list.map((table, i) => (
        <div class="sub">
          <div class="row">
            <strong class="grow small">{t('forms.table_n', { n: i + 1 })}</strong>
            <IconButton small icon="trash" disabled={p.disabled} label={t('forms.remove_entry', { n: i + 1 })} onClick={() => set(list.filter((_, at) => at !== i))} />
          </div>
          {keys.map((key) => (
            <div class="field">
              <label class="mono" for={`${p.id}-${i}-${key.name}`} title={key.help}>
                {key.name}
              </label>
              <Render of={key} value={table[key.name]} id={`${p.id}-${i}-${key.name}`} disabled={p.disabled} onChange={(v) => change(i, key.name, v)} />
            </div>
          ))}
        </div>
      ))}
      <Button small kind="quiet" icon="plus" id={p.id} disabled={p.disabled} onClick={() => set([...list, {}])}>
        {t('forms.add_entry')}
      </Button>
    </div>
  );
}

function withKey(table: Table, name: string, value: Value | undefined): Table {
  const next = { ...table };
  if (value === undefined) delete next[name];
  else next[name] = value;
  return next;
}

/** TomlWidget edits what no form is known for as TOML. It hands on only what can be read. */
function TomlWidget(p: WidgetProps) {
  const [text, setText] = useState(p.value === undefined ? '' : valueText(p.value));
  const [problem, setProblem] = useState('');
  useEffect(() => {
    if (!problem) setText(p.value === undefined ? '' : valueText(p.value));
  }, [p.value === undefined ? '' : valueText(p.value)]);
  const change = (next: string) => {
    setText(next);
    try {
      p.onChange(next.trim() === '' ? undefined : readValue(next));
      setProblem('');
    } catch (err) {
      if (!(err instanceof TomlError)) throw err;
      setProblem(err.message);
    }
  };
  return (
    <div class="stack tight">
      <Area {...tie(p)} code rows={4} value={text} aria-invalid={problem !== '' || p.invalid || undefined} onInput={(e) => change(e.currentTarget.value)} />
      {problem && <span class="field-error">{problem}</span>}
    </div>
  );
}

function readValue(text: string): Value {
  const s = new Scanner(text);
  s.gap();
  const value = s.value();
  s.gap();
  if (!s.done) s.fail('something follows the value');
  return value;
}
