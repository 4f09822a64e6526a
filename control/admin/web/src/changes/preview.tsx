import { useState } from 'preact/hooks';
import type { Preview } from '../api/types';
import { useInstance } from '../app/instance';
import { t } from '../i18n';
import { Card, Note, Tabs } from '../ui';
import { ClassBadge, TextDiff, TypedDiff } from '../ui/diff';
import './changes.css';

/** PreviewCard shows what changes will do: key by key, and as text. Where nothing is applied there is nothing live to compare with, only the text. */
export function PreviewCard({ preview }: { preview: Preview }) {
  const [tab, setTab] = useState<'keys' | 'text'>('keys');
  const { panel_only: alone } = useInstance();
  const changes = preview.changes ?? [];
  return (
    <Card title={t('diff.title')} actions={!alone && <ClassBadge cls={preview.class} />}>
      <div class="stack">
        {(preview.warnings ?? []).map((w) => (
          <Note tone="warn">{w}</Note>
        ))}
        {!alone && (
          <Tabs
            value={tab}
            onChange={setTab}
            label={t('diff.title')}
            options={[
              { value: 'keys', label: t('diff.keys', { n: changes.length }) },
              { value: 'text', label: t('diff.text') },
            ]}
          />
        )}
        {tab === 'keys' && !alone ? <TypedDiff changes={changes} /> : <TextDiff text={preview.text ?? ''} />}
      </div>
    </Card>
  );
}
