import type { Change, ChangeClass } from '../api/types';
import { t } from '../i18n';
import { Badge, type Tone } from './basics';
import './diff.css';

const tones: Record<string, Tone> = { hot: 'ok', listeners: 'info', roll: 'warn', none: 'mute', same: 'mute' };

/** ClassBadge says what a change costs. */
export function ClassBadge({ value }: { value: ChangeClass | 'same' }) {
  return (
    <Badge tone={tones[value]} title={t(`class.${value === 'same' ? 'none' : value}.text`)}>
      {value}
    </Badge>
  );
}

/** DiffText shows a unified diff. */
export function DiffText({ text }: { text: string }) {
  const lines = text.replace(/\n$/, '').split('\n');
  return (
    <pre class="code diff" tabIndex={0} aria-label={t('diff.text')}>
      {lines.map((line) => (
        <div class={kind(line)}>{line || ' '}</div>
      ))}
    </pre>
  );
}

function kind(line: string): string {
  if (line.startsWith('+++') || line.startsWith('---')) return 'file';
  if (line.startsWith('@@')) return 'at';
  return line[0] === '+' ? 'plus' : line[0] === '-' ? 'minus' : '';
}

function show(value: unknown): string {
  if (value === undefined || value === null) return '–';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** DiffTyped shows what changed by object and key. */
export function DiffTyped({ changes }: { changes: Change[] }) {
  return (
    <div class="stack tight">
      {changes.map((c) => (
        <div class="diff-object">
          <div class="row wrap">
            <strong class="mono">{c.object}</strong>
            {c.op && <Badge tone={c.op === 'added' ? 'ok' : c.op === 'removed' ? 'bad' : 'mute'}>{t(`diff.${c.op}`)}</Badge>}
            <ClassBadge value={c.class} />
          </div>
          {c.keys && c.keys.length > 0 && (
            <dl>
              {c.keys.map((k) => (
                <>
                  <dt class="mono">{k.key}</dt>
                  <dd class="mono">
                    {k.from !== undefined && k.from !== null && <del>{show(k.from)}</del>} {k.to !== undefined && k.to !== null && <ins>{show(k.to)}</ins>}
                  </dd>
                </>
              ))}
            </dl>
          )}
        </div>
      ))}
    </div>
  );
}
