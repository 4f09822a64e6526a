import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { t } from '../i18n';
import { alike } from './alike';
import { Icon } from './icons';
import { useNarrow } from './narrow';

export type Column<R> = {
  id: string;
  head: ComponentChildren;
  /** label is for the card form on narrow screens, and for what has no visible head. */
  label?: string;
  cell: (row: R) => ComponentChildren;
  right?: boolean;
  /** sort gives what rows are compared by; without it the column does not sort. */
  sort?: (row: R) => string | number;
  /** main is the title of the card on narrow screens. */
  main?: boolean;
  /** full columns have a line of their own in cards. */
  full?: boolean;
  /** wide columns are left out of cards. */
  wide?: boolean;
  /** width in CSS, for tables that stand below each other. */
  width?: string;
};

type Props<R> = {
  /** columns that stay the same object say that a row which is as before looks as before: it is not drawn again then. */
  columns: Column<R>[];
  rows: R[];
  rowKey: (row: R) => string | number;
  caption: string;
  empty?: ComponentChildren;
  onOpen?: (row: R) => void;
  sortBy?: string;
  descending?: boolean;
  /** most rows that are drawn at first, half as many cards; somebody may ask for all. */
  most?: number;
};

/** Table of some hundred rows; longer lists need windowing, which is not done here. */
export function Table<R>({ columns, rows, rowKey, caption, empty, onOpen, sortBy, descending, most = Infinity }: Props<R>) {
  const narrow = useNarrow();
  const [all, setAll] = useState(false);
  const [order, setOrder] = useState({ by: sortBy ?? '', down: descending ?? false });
  const sorted = useMemo(() => arrange(rows, columns, order), [rows, columns, order]);
  const drawn = useMemo(() => (narrow ? columns.filter((c) => !c.wide) : columns), [columns, narrow]);
  const first = narrow ? Math.ceil(most / 2) : most;
  const box = useRef<HTMLDivElement>(null);
  const scrolls = useScrolls(box, rows.length);
  if (rows.length === 0 && empty) return <>{empty}</>;
  return (
    <div class="table-box" ref={box} tabIndex={scrolls ? 0 : undefined} role={scrolls ? 'region' : undefined} aria-label={scrolls ? caption : undefined}>
      <table class="table cards">
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {drawn.map((c) => (
              <Head column={c} order={order} onOrder={setOrder} />
            ))}
          </tr>
        </thead>
        <tbody>
          {(all ? sorted : sorted.slice(0, first)).map((row) => (
            <Row key={rowKey(row)} row={row} columns={drawn} onOpen={onOpen} />
          ))}
        </tbody>
      </table>
      {sorted.length > first && (
        <button type="button" class="btn quiet small all-rows" aria-expanded={all} onClick={() => setAll(!all)}>
          {t(all ? 'table.fewer' : 'table.all', { n: sorted.length })}
        </button>
      )}
    </div>
  );
}

type RowProps<R> = { row: R; columns: Column<R>[]; onOpen?: (row: R) => void };

// Row gives what it gave before as long as nothing that it shows is another: then nothing of it is compared with the page either.
function Row<R>(props: RowProps<R>) {
  const kept = useRef<RowProps<R> & { shown: JSX.Element }>(undefined);
  const was = kept.current;
  if (!was || was.columns !== props.columns || was.onOpen !== props.onOpen || !alike(was.row, props.row)) kept.current = { ...props, shown: draw(props) };
  return kept.current!.shown;
}

function draw<R>({ row, columns, onOpen }: RowProps<R>) {
  return (
    <tr class={onOpen && 'click'} onClick={onOpen && ((e) => !isControl(e.target) && onOpen(row))}>
      {columns.map((c) => (
        <td class={[c.right && 'right', c.main && 'head', c.full && 'full', c.wide && 'only-wide'].filter(Boolean).join(' ') || undefined} data-label={c.label ?? (typeof c.head === 'string' ? c.head : '')}>
          {c.cell(row)}
        </td>
      ))}
    </tr>
  );
}

// useScrolls says whether a box is wider than what is seen of it: then the keyboard must reach it.
function useScrolls(box: { current: HTMLElement | null }, rows: number): boolean {
  const [scrolls, set] = useState(false);
  useEffect(() => {
    const here = box.current;
    if (!here) return;
    const look = new ResizeObserver(() => set(here.scrollWidth > here.clientWidth + 1));
    look.observe(here);
    return () => look.disconnect();
  }, [rows === 0]);
  return scrolls;
}

type Order = { by: string; down: boolean };

function Head<R>({ column: c, order, onOrder }: { column: Column<R>; order: Order; onOrder: (o: Order) => void }) {
  const on = order.by === c.id;
  const cls = [c.right && 'right', c.wide && 'only-wide'].filter(Boolean).join(' ') || undefined;
  if (!c.sort) {
    return (
      <th scope="col" class={cls} style={{ width: c.width }}>
        {c.head || <span class="unseen">{c.label}</span>}
      </th>
    );
  }
  return (
    <th scope="col" class={cls} style={{ width: c.width }} aria-sort={on ? (order.down ? 'descending' : 'ascending') : 'none'}>
      <button type="button" onClick={() => onOrder({ by: c.id, down: on ? !order.down : Boolean(c.right) })}>
        {c.head}
        {on && <Icon name={order.down ? 'down' : 'up'} style={{ width: '12px', height: '12px' }} />}
      </button>
    </th>
  );
}

// isControl keeps a click on a link or button inside a row from opening the row as well.
function isControl(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('a,button,input,select,label') !== null;
}

// Comparing by a collator that is made once is many times quicker than localeCompare.
const words = new Intl.Collator(undefined, { numeric: true });

function arrange<R>(rows: R[], columns: Column<R>[], order: Order): R[] {
  const sort = columns.find((c) => c.id === order.by)?.sort;
  if (!sort) return rows;
  const sign = order.down ? -1 : 1;
  return [...rows].sort((a, b) => {
    const x = sort(a), y = sort(b);
    if (typeof x === 'number' && typeof y === 'number') return sign * (x - y);
    return sign * words.compare(String(x), String(y));
  });
}
