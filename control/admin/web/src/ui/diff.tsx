import { refOf } from '../forms/paths';
import type { Change } from '../api/types';
import { t, type Key } from '../i18n';
import { Badge } from './basics';
import { Icon } from './icons';
import { readDiff, type DiffLine } from './lines';
import './diff.css';

/** costText says what a change of a class costs. */
export function costText(cls: string): string {
  const word = `class.${cls}.cost` as Key;
  const text = t(word);
  return text === word ? '' : text;
}

function className(cls: string): string {
  const word = `class.${cls}` as Key;
  const text = t(word);
  return text === word ? cls : text;
}

function classTone(cls: string): 'ok' | 'info' | 'warn' | 'mute' {
  return cls === 'hot' ? 'ok' : cls === 'listeners' ? 'info' : cls === 'roll' ? 'warn' : 'mute';
}

/** ClassBadge says how a change gets into the workers. */
export function ClassBadge({ cls }: { cls: string }) {
  return (
    <Badge tone={classTone(cls)} dot title={costText(cls)}>
      {className(cls)}
    </Badge>
  );
}

/** Cost says in words what applying will do to those who are being served. */
export function Cost({ cls }: { cls: string }) {
  return (
    <p class="cost">
      <ClassBadge cls={cls} />
      <span>{costText(cls)}</span>
    </p>
  );
}

const opTone = { added: 'ok', changed: 'accent', removed: 'bad' } as const;

/** TypedDiff is a table of keys for each object that changes. */
export function TypedDiff({ changes }: { changes: Change[] }) {
  if (changes.length === 0) return <p class="muted">{t('diff.nothing')}</p>;
  return (
    <div class="typed">
      {changes.map((c) => (
        <TypedObject change={c} />
      ))}
    </div>
  );
}

function TypedObject({ change }: { change: Change }) {
  const ref = refOf(change.object);
  const op = change.op ?? 'changed';
  return (
    <section>
      <header>
        <Badge tone={opTone[op]}>{t(`diff.${op}` as Key)}</Badge>
        <span class="muted small">{ref.category}</span>
        {op === 'removed' ? (
          <strong class="cut">{ref.name}</strong>
        ) : (
          <a class="strong cut" href={ref.href}>
            {ref.name || ref.category}
          </a>
        )}
        <span class="grow" />
        <ClassBadge cls={change.class} />
      </header>
      {(change.keys ?? []).length > 0 && (
        <dl>
          {change.keys!.map((k) => (
            <div class="key-change">
              <dt class="mono">{k.key}</dt>
              <dd>
                <KeyValue value={k.from} kind="from" />
                <Icon name="right" />
                <span class="unseen">{t('diff.becomes')}</span>
                <KeyValue value={k.to} kind="to" />
              </dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  );
}

function KeyValue({ value, kind }: { value: unknown; kind: 'from' | 'to' }) {
  if (value === undefined || value === null || value === '') return <span class="muted small">{t('diff.unset')}</span>;
  const text = Array.isArray(value)
    ? value.map((v) => (typeof v === 'object' ? JSON.stringify(v) : String(v))).join('\n')
    : typeof value === 'object'
      ? JSON.stringify(value)
      : String(value);
  return <code class={`val ${kind}`}>{text.length > 600 ? `${text.slice(0, 600)}…` : text}</code>;
}

const mostLines = 3000;

/** TextDiff shows a unified diff with line numbers and signs, not by colour alone. */
export function TextDiff({ text, lines = readDiff(text) }: { text: string; lines?: DiffLine[] }) {
  if (lines.length === 0) return <p class="muted">{t('diff.nothing')}</p>;
  const shown = lines.slice(0, mostLines);
  return (
    <div class="diff" role="region" tabIndex={0} aria-label={t('diff.text')}>
      <table>
        <tbody>
          {shown.map((l) => (
            <tr class={l.kind}>
              <td class="n">{l.old ?? ''}</td>
              <td class="n">{l.new ?? ''}</td>
              <td class="sign">{l.kind === 'added' ? '+' : l.kind === 'removed' ? '−' : ''}</td>
              <td class="line">{l.text}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {lines.length > mostLines && <p class="muted small">{t('diff.more', { n: lines.length - mostLines })}</p>}
    </div>
  );
}
