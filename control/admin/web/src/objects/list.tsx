import { useMemo, useState } from 'preact/hooks';
import type { ObjectLine } from '../api/types';
import { useMayEdit } from '../app/instance';
import { link, navigate } from '../app/router';
import { useDraft } from '../changes/store';
import type { Item } from '../changes/draft';
import { pathOf } from '../forms/paths';
import { tryObject } from '../forms/toml/object';
import { TomlError } from '../forms/toml/scan';
import { t, type Key } from '../i18n';
import { Badge, Empty, Icon, IconButton, LinkButton, Note, Page, Search, Segments, Skeleton } from '../ui';
import { useNarrow } from '../ui/narrow';
import { columnsOf, type Column, type RowData } from './columns';
import { type Configs, useConfigs, useHealth, useObjects, useValidity } from './data';
import { askRemoval } from './remove';
import { useWindowed } from './window';
import { categoryTitle, categoryWord } from './words';

/** List shows all objects of a category. */
export function List({ category }: { category: string }) {
  const objects = useObjects();
  const rows = useRows(category, objects.data?.objects);
  const [search, setSearch] = useState('');
  const [only, setOnly] = useState<'all' | 'unused' | 'draft'>('all');
  const shown = useMemo(() => rows.filter((r) => matches(r, search) && kept(r, only)), [rows, search, only]);
  const create = useMayEdit() && (
    <LinkButton kind="primary" icon="plus" href={link(location.hash.slice(1).split('?')[0], { name: '*' })}>
      {t('objects.add')}
    </LinkButton>
  );
  const unused = rows.filter((r) => kept(r, 'unused')).length;
  return (
    <Page title={categoryTitle(category)} lead={t(`objects.lead.${category}` as Key)} actions={create}>
      {objects.error && <Note tone="bad">{objects.error.message}</Note>}
      <div class="card list-card">
        <div class="list-tools">
          <Search value={search} onInput={setSearch} label={t('objects.search')} />
          {(unused > 0 || rows.some((r) => r.draft)) && <Segments value={only} onChange={setOnly} label={t('objects.which')} options={filters(rows, unused)} />}
          <span class="muted small num" role="status">
            {t('objects.count', { n: shown.length })}
          </span>
        </div>
        {!objects.data && !objects.error ? (
          <div class="body">
            <Skeleton />
          </div>
        ) : shown.length > 0 ? (
          <Rows category={category} rows={shown} />
        ) : (
          <Empty title={t(rows.length === 0 ? 'objects.none' : 'objects.none_found', { what: categoryTitle(category) })} action={rows.length === 0 && create}>
            {t(rows.length === 0 ? (`objects.hint.${category}` as Key) : 'objects.none_found_hint')}
          </Empty>
        )}
      </div>
    </Page>
  );
}

function filters(rows: RowData[], unused: number) {
  const inDraft = rows.filter((r) => r.draft).length;
  return [
    { value: 'all' as const, label: t('common.all') },
    ...(unused > 0 ? [{ value: 'unused' as const, label: t('objects.unused_n', { n: unused }) }] : []),
    ...(inDraft > 0 ? [{ value: 'draft' as const, label: t('objects.draft_n', { n: inDraft }) }] : []),
  ];
}

function matches(row: RowData, search: string): boolean {
  const text = `${row.name} ${row.line?.remark ?? ''} ${row.line?.summary ?? ''} ${row.words}`.toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function kept(row: RowData, only: 'all' | 'unused' | 'draft'): boolean {
  if (only === 'draft') return row.draft !== undefined;
  return only === 'all' || (usedKinds.has(row.category) && row.line !== undefined && (row.line.used_by ?? []).length === 0);
}

const usedKinds = new Set(['location', 'upstream', 'plugin', 'storage']);

/** useRows joins what is live with what the draft adds. */
function useRows(category: string, objects: ObjectLine[] | undefined): RowData[] {
  const configs = useConfigs(category).data;
  const health = useHealth(category === 'upstream' || category === 'location');
  const validity = useValidity(category === 'certificate');
  const { items } = useDraft();
  const rows = useMemo(() => joined(category, objects ?? [], configs, items), [category, objects, configs, items]);
  // Health comes every few seconds; all else of thousands of rows stays as it is then.
  return useMemo(() => rows.map((r) => ({ ...r, health, validity: validity.get(r.name) })), [rows, health, validity]);
}

function joined(category: string, objects: ObjectLine[], configs: Configs | undefined, items: Item[]): RowData[] {
  const mine = items.filter((i) => i.category === category);
  const drafts = new Map(mine.map((i) => [i.name, i]));
  const lines = objects.filter((o) => o.category === category);
  const known = new Set(lines.map((l) => l.name));
  const live = lines.map((line) => row(category, line.name, line, configs?.[line.name], drafts.get(line.name)));
  const added = mine.filter((i) => !known.has(i.name)).map((i) => row(category, i.name, undefined, undefined, i));
  const order = new Intl.Collator(undefined, { numeric: true });
  return [...added, ...live].sort((a, b) => order.compare(a.name, b.name));
}

function row(category: string, name: string, line: ObjectLine | undefined, value: Record<string, unknown> | undefined, draft: Item | undefined): RowData {
  const words = value ? JSON.stringify(value).slice(0, 4000) : '';
  const edited = draft?.toml ? tryObject(draft.toml) : undefined;
  const shown = edited && !(edited instanceof TomlError) ? edited.values : (value ?? {});
  return { category, name, line, value: shown, draft, words, health: new Map() };
}

function Rows({ category, rows }: { category: string; rows: RowData[] }) {
  const narrow = useNarrow();
  const columns = columnsOf(category);
  const rowHeight = narrow ? 96 : 52;
  const { ref, from, to } = useWindowed(rows.length, rowHeight);
  const template = [...columns.map((c) => c.width), '76px'].join(' ');
  return (
    <div class="rows" role="table" aria-label={categoryTitle(category)} aria-rowcount={rows.length + 1} style={{ '--columns': template }}>
      <div role="rowgroup" class="rows-head">
        <div role="row" class="list-row" aria-rowindex={1}>
          {columns.map((c) => (
            <div role="columnheader">{t(c.head)}</div>
          ))}
          <div role="columnheader">
            <span class="unseen">{t('objects.actions')}</span>
          </div>
        </div>
      </div>
      <div role="rowgroup" class="rows-body" ref={ref} style={{ height: `${rows.length * rowHeight}px` }}>
        {rows.slice(from, to).map((r, i) => (
          <ListRow key={r.name} row={r} columns={columns} index={from + i} top={(from + i) * rowHeight} height={rowHeight} />
        ))}
      </div>
    </div>
  );
}

function ListRow({ row: r, columns, index, top, height }: { row: RowData; columns: Column[]; index: number; top: number; height: number }) {
  const mayEdit = useMayEdit();
  const open = (e: MouseEvent) => {
    if (!(e.target as Element).closest('a,button') && !getSelection()?.toString()) navigate(pathOf(r.category, r.name));
  };
  return (
    <div role="row" class={r.draft?.toml === null ? 'list-row gone' : 'list-row'} aria-rowindex={index + 2} style={{ top: `${top}px`, height: `${height}px` }} onClick={open}>
      {columns.map((c) => (
        <div role="cell" class={c.kind}>
          {c.cell(r)}
        </div>
      ))}
      <div role="cell" class="acts">
        {mayEdit && (
          <>
            <a
              class="btn quiet icon small"
              href={link(location.hash.slice(1).split('?')[0], { name: '*', copy: r.name })}
              aria-label={t('objects.copy', { name: r.name })}
              title={t('objects.copy', { name: r.name })}
            >
              <Icon name="copy" />
            </a>
            <IconButton small icon="trash" label={t('objects.remove', { name: r.name })} onClick={() => void askRemoval(r.category, r.name)} />
          </>
        )}
      </div>
    </div>
  );
}

/** DraftBadge says what the draft does to an object. */
export function DraftBadge({ item }: { item: Item | undefined }) {
  if (!item) return null;
  if (item.toml === null) return <Badge tone="bad">{t('draft.removed')}</Badge>;
  return <Badge tone="accent">{t(item.was === null ? 'draft.added' : 'draft.changed')}</Badge>;
}

/** Gone is shown for a name that nothing has. */
export function Gone({ category, name }: { category: string; name: string }) {
  return (
    <Empty
      title={t('objects.gone', { what: categoryWord(category), name })}
      action={<LinkButton href={link(location.hash.slice(1).split('?')[0])}>{categoryTitle(category)}</LinkButton>}
    >
      {t('objects.gone_hint')}
    </Empty>
  );
}
