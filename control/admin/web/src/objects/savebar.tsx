import { useInstance } from '../app/instance';
import type { Check } from '../changes/check';
import { t } from '../i18n';
import { Badge, Button, Icon } from '../ui';
import { ClassBadge, costText } from '../ui/diff';
import type { Editing } from './editing';

type Props = { editing: Editing; check: Check; inDraft: boolean; errorCount: number; onKeep: (then: 'review' | 'list') => void };

/** SaveBar stays at the foot of the form: what the server says of the edit so far, and what can be done with it. */
export function SaveBar({ editing, check, inDraft, errorCount, onKeep }: Props) {
  if (!editing.dirty && !inDraft) return null;
  const blocked = editing.mistake !== undefined || editing.nameProblem !== undefined;
  return (
    <div class="save-bar" role="region" aria-label={t('forms.save_bar')}>
      <div class="grow verdict" role="status">
        <Verdict editing={editing} check={check} errorCount={errorCount} />
      </div>
      {editing.dirty && (
        <Button kind="quiet" icon="undo" onClick={editing.reset}>
          {t('forms.discard')}
        </Button>
      )}
      {editing.dirty && (
        <Button disabled={blocked} onClick={() => onKeep('list')}>
          {t('forms.to_draft')}
        </Button>
      )}
      <Button kind="primary" disabled={blocked} onClick={() => onKeep('review')}>
        {t('forms.review')}
      </Button>
    </div>
  );
}

function Verdict({ editing, check, errorCount }: { editing: Editing; check: Check; errorCount: number }) {
  const { panel_only: alone } = useInstance();
  if (editing.mistake) return <Bad text={t('forms.line', { n: editing.mistake.line, what: editing.mistake.message })} />;
  if (editing.nameProblem) return <span class="muted">{t('forms.name_first')}</span>;
  if (check.busy) return <span class="muted">{t('forms.checking')}</span>;
  if (check.error) return <Bad text={errorCount > 0 ? t('forms.n_wrong', { n: errorCount }) : check.error.message} />;
  if (!check.preview) return <span class="muted">{t('forms.edited')}</span>;
  const { class: cls, warnings } = check.preview;
  return (
    <span class="row wrap">
      {!alone && <ClassBadge cls={cls} />}
      <span class="muted small">{alone ? t('forms.edited') : costText(cls)}</span>
      {(warnings ?? []).length > 0 && <Badge tone="warn">{t('forms.n_warnings', { n: warnings.length })}</Badge>}
    </span>
  );
}

function Bad({ text }: { text: string }) {
  return (
    <span class="bad-text row">
      <Icon name="warn" />
      <span>{text}</span>
    </span>
  );
}
