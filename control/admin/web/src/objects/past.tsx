import { useState } from 'preact/hooks';
import { useResource } from '../api/hooks';
import { objectText } from '../forms/toml/write';
import { t } from '../i18n';
import { ago, Button, Dialog, Empty, Field, Note, Select, Skeleton } from '../ui';
import { TextDiff } from '../ui/diff';
import { diffLines } from '../ui/lines';

type Kept = { history: { created_at: number; data: Record<string, unknown> }[] | null };

/** Past shows what an object was before, where the source keeps it, and takes a state back into the form. */
export function Past(p: { category: string; table: string; name: string; text: string; onTake: (text: string) => void; onClose: () => void }) {
  const { data, error } = useResource<Kept>(`/config-history/${p.category}/${encodeURIComponent(p.name)}`);
  const [at, setAt] = useState(0);
  const states = data?.history ?? [];
  const old = states[at] && objectText(p.table, p.name, states[at].data);
  const take = () => {
    p.onTake(old);
    p.onClose();
  };
  return (
    <Dialog
      wide
      title={t('objects.history_title', { name: p.name })}
      onClose={p.onClose}
      footer={
        old && (
          <Button kind="primary" onClick={take}>
            {t('objects.history_restore')}
          </Button>
        )
      }
    >
      {error ? (
        <Note tone="bad">{error.message}</Note>
      ) : !data ? (
        <Skeleton />
      ) : !old ? (
        <Empty icon="clock" title={t('objects.history_none')}>
          {t('objects.history_hint')}
        </Empty>
      ) : (
        <div class="stack">
          <Field label={t('objects.history_pick')}>
            <Select
              value={String(at)}
              options={states.map((s, i) => ({ value: String(i), label: `${new Date(s.created_at * 1000).toLocaleString()} (${ago(s.created_at * 1000)})` }))}
              onChange={(e) => setAt(Number(e.currentTarget.value))}
            />
          </Field>
          <TextDiff text="" lines={diffLines(p.text, old)} />
        </div>
      )}
    </Dialog>
  );
}
