import { useState } from 'preact/hooks';
import { pathOf } from '../forms/paths';
import { t, type Key } from '../i18n';
import { Badge, Button, Card, IconButton } from '../ui';
import { TextDiff } from '../ui/diff';
import { diffLines } from '../ui/lines';
import type { Draft, Item } from './draft';
import { itemKey } from './draft';
import type { Place } from './errors';
import { draft } from './store';

/** Items lists what is in the draft; each can be edited on, compared, and taken out. */
export function Items({ value, errors }: { value: Draft; errors: Place[] }) {
  return (
    <Card title={t('draft.items', { n: value.items.length })} pad={false}>
      <ul class="draft-items">
        {value.items.map((i) => (
          <DraftItem
            key={itemKey(i.category, i.name)}
            item={i}
            errors={errors.filter((e) => e.object === itemKey(i.category, i.name) || (i.category === 'basic' && e.object?.startsWith('basic')))}
          />
        ))}
      </ul>
    </Card>
  );
}

function DraftItem({ item, errors }: { item: Item; errors: Place[] }) {
  const [open, setOpen] = useState(false);
  const op = item.toml === null ? 'removed' : item.was === null ? 'added' : 'changed';
  return (
    <li>
      <div class="item-row">
        <Badge tone={op === 'removed' ? 'bad' : op === 'added' ? 'ok' : 'accent'}>{t(`diff.${op}` as Key)}</Badge>
        <span class="muted small">{item.category}</span>
        <a class="strong cut" href={pathOf(item.category, item.name)}>
          {item.name}
        </a>
        {errors.length > 0 && <Badge tone="bad">{t('forms.n_wrong', { n: errors.length })}</Badge>}
        <span class="grow" />
        <Button small kind="quiet" aria-expanded={open} onClick={() => setOpen(!open)}>
          {t(open ? 'draft.hide' : 'draft.show')}
        </Button>
        <IconButton small icon="close" label={t('draft.drop', { name: item.name })} onClick={() => draft.drop(item.category, item.name)} />
      </div>
      {open && <TextDiff text="" lines={diffLines(item.was ?? '', item.toml ?? '')} />}
    </li>
  );
}
