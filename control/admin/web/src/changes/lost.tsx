import { get } from '../api/client';
import type { ObjectOne, Preview } from '../api/types';
import { useEffect, useState } from 'preact/hooks';
import { t } from '../i18n';
import { Button, failed, Icon } from '../ui';
import { TypedDiff } from '../ui/diff';
import { itemKey, versionOf, type Draft } from './draft';
import { draft } from './store';

/** Lost says that somebody else applied something since the draft was begun, and what, before anything of theirs is overwritten. */
export function Lost({ value, now, onAgain }: { value: Draft; now?: string; onAgain: (base: string) => void }) {
  const [others, setOthers] = useState<Preview | null>(null);
  const [current, setCurrent] = useState(now ?? '');
  const from = versionOf(value.base);
  useEffect(() => {
    let wanted = true;
    const read = async () => {
      const { etag } = await get('/objects');
      if (wanted && etag) setCurrent(etag);
      const diff = from === undefined ? null : (await get<Preview>(`/versions/${from}/diff`)).data;
      if (wanted) setOthers(diff);
    };
    read().catch(() => undefined); // the version may be too old to be kept: then only the fact is told
    return () => {
      wanted = false;
    };
  }, [value.base]);
  const mine = new Set(value.items.map((i) => itemKey(i.category, i.name)));
  const both = (others?.changes ?? []).filter((c) => mine.has(c.object));
  const merge = async () => {
    try {
      for (const item of value.items.filter((i) => i.toml !== null && both.some((c) => c.object === itemKey(i.category, i.name)))) {
        const { data } = await get<ObjectOne>(`/objects/${item.category}/${encodeURIComponent(item.name)}`);
        draft.onto(item.category, item.name, data.toml);
      }
      onAgain(current);
    } catch (err) {
      failed(err);
    }
  };
  return (
    <section class="note warn lost" role="alert">
      <Icon name="warn" />
      <div class="grow stack tight">
        <h2>{t('lost.title')}</h2>
        <p>{t('lost.text', { base: from ?? '–', now: versionOf(current) ?? '–' })}</p>
        {both.length > 0 && <p class="bad-text">{t('lost.both', { names: both.map((c) => c.object).join(', ') })}</p>}
        {others && others.changes.length > 0 && <TypedDiff changes={others.changes} />}
        <div class="row wrap">
          {both.length > 0 && (
            <Button kind="primary" disabled={current === ''} onClick={() => void merge()}>
              {t('lost.merge')}
            </Button>
          )}
          <Button kind={both.length > 0 ? undefined : 'primary'} disabled={current === ''} onClick={() => onAgain(current)}>
            {t('lost.again')}
          </Button>
        </div>
      </div>
    </section>
  );
}
