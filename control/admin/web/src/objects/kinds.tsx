import { useState } from 'preact/hooks';
import { t } from '../i18n';
import { Badge, Button, Card, Search } from '../ui';
import type { PluginKind, Schema } from '../forms/schema';
import { exampleOf } from '../forms/example';
import { rename } from '../forms/toml/write';
import type { Editing } from './editing';

/** KindChooser is the first step of a new plugin. */
export function KindChooser({ schema, onChoose }: { schema: Schema; onChoose: (category: string) => void }) {
  const [search, setSearch] = useState('');
  const words = search.trim().toLowerCase();
  const kinds = schema.plugins.filter((p) => `${p.category} ${p.summary}`.toLowerCase().includes(words));
  return (
    <Card title={t('plugins.choose')} actions={<Search value={search} onInput={setSearch} label={t('objects.search')} />}>
      <ul class="kinds">
        {kinds.map((k) => (
          <li>
            <button type="button" class="kind" onClick={() => onChoose(k.category)}>
              <strong class="mono">{k.category}</strong>
              <span class="muted small">{k.summary}</span>
              <Steps kind={k} />
            </button>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Steps({ kind }: { kind: PluginKind }) {
  const steps = kind.steps ?? [];
  return <span class="refs">{steps.length > 0 ? steps.map((s) => <Badge>{s}</Badge>) : <Badge>response</Badge>}</span>;
}

/** KindNote says what the kind of plugin does, and offers its example for a new one. */
export function KindNote({ schema, editing, fresh }: { schema: Schema; editing: Editing; fresh: boolean }) {
  const kind = schema.plugins.find((p) => p.category === editing.object.values.category);
  if (!kind) return null;
  const example = fresh ? exampleOf(kind) : undefined;
  const untouched = Object.keys(editing.object.values).length <= 1;
  return (
    <div class="kind-note">
      <div class="grow">
        <strong class="mono">{kind.category}</strong> <Steps kind={kind} />
        <p class="muted small">{kind.summary}</p>
      </div>
      {example && untouched && (
        <Button small icon="download" onClick={() => editing.setText(rename(example, editing.name || 'NAME'))}>
          {t('plugins.example')}
        </Button>
      )}
    </div>
  );
}
