import { useState } from 'preact/hooks';
import type { Preview } from '../api/types';
import { t } from '../i18n';
import { Card, Note, Tabs } from '../ui';
import { ClassBadge, TextDiff, TypedDiff } from '../ui/diff';
import './changes.css';

/** PreviewCard shows what changes will do: key by key, and as text. */
export function PreviewCard({ preview }: { preview: Preview }) {
  const [tab, setTab] = useState<'keys' | 'text'>('keys');
  const changes = preview.changes ?? [];
  return (
    <Card title={t('diff.title')} actions={<ClassBadge cls={preview.class} />}>
      <div class="stack">
        {(preview.warnings ?? []).map((w) => (
          <Note tone="warn">{w}</Note>
        ))}
        <Tabs
          value={tab}
          onChange={setTab}
          label={t('diff.title')}
          options={[
            { value: 'keys', label: t('diff.keys', { n: changes.length }) },
            { value: 'text', label: t('diff.text') },
          ]}
        />
        {tab === 'keys' ? <TypedDiff changes={changes} /> : <TextDiff text={preview.text ?? ''} />}
      </div>
    </Card>
  );
}
