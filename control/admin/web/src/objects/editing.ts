import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { guardLeaving } from '../app/router';
import { changesOf, type Draft } from '../changes/draft';
import { draft as store, useDraft } from '../changes/store';
import { checkName, checkValue, type Problem } from '../forms/check';
import { keysOf, tableOf, type Key, type Schema } from '../forms/schema';
import { tryObject, type ObjectText } from '../forms/toml/object';
import { TomlError, type Value } from '../forms/toml/scan';
import { header, rename, setKey, tidy } from '../forms/toml/write';
import { t } from '../i18n';
import { confirm } from '../ui';

/** Editing is one object while it is edited: its text, what the text says, and what is wrong with it. */
export type Editing = {
  name: string;
  setName: (name: string) => void;
  nameProblem?: Problem;
  text: string;
  setText: (text: string) => void;
  set: (key: string, value: Value | undefined) => void;
  object: ObjectText; // of the last text that could be read
  mistake?: TomlError;
  keys: Key[];
  problems: number; // that the form itself found
  dirty: boolean;
  /** changes is the draft with this edit; null if there is nothing to ask the server. */
  changes: ReturnType<typeof changesOf> | null;
  /** keep puts the edit into the draft. */
  keep: () => void;
  reset: () => void;
};

type Start = { category: string; schema: Schema; was: string | null; start: string; name: string; fresh: boolean; etag: string; taken: (name: string) => boolean };

/** useEditing holds the text, which is the truth: the form only changes lines of it, so that comments and order stay. */
export function useEditing(s: Start): Editing {
  const draftValue = useDraft();
  const [text, setText] = useState(s.start);
  const [saved, setSaved] = useState(s.start);
  const [name, setName] = useState(s.name);
  const table = tableOf(s.schema, s.category);
  const parsed = useMemo(() => readOwn(text, table, s.fresh ? undefined : s.name), [text]);
  const last = useRef<ObjectText>({ table, name, values: {}, places: [], heads: [] });
  if (!(parsed instanceof TomlError)) last.current = parsed;
  const object = last.current;
  const kind = typeof object.values.category === 'string' ? object.values.category : undefined;
  const keys = useMemo(() => keysOf(s.schema, s.category, kind), [s.schema, s.category, kind]);
  const mistake = parsed instanceof TomlError ? parsed : undefined;
  const nameProblem = s.fresh ? (checkName(name) ?? (s.taken(name) ? ({ word: 'taken' } as Problem) : undefined)) : undefined;
  const problems = useMemo(() => keys.filter((k) => checkValue(k, object.values[k.name])).length, [keys, object]);
  const dirty = text !== saved;
  const item = { category: s.category, name: s.fresh ? name : s.name, toml: text, was: s.was };
  const asked = !mistake && !nameProblem && (dirty || store.find(item.category, item.name) !== undefined);
  const release = useGuard(dirty);
  return {
    name,
    setName: (next) => {
      setName(next);
      if (!mistake && next.trim() !== '') setText((old) => rename(old, next.trim()));
    },
    nameProblem,
    text,
    setText: (next) => {
      setText(next);
      const read = tryObject(next);
      if (s.fresh && !(read instanceof TomlError) && read.name !== '' && read.name !== 'NAME') setName(read.name);
    },
    set: (key, value) => setText((old) => (tryObject(old) instanceof TomlError ? old : setKey(old, key, value))),
    object,
    mistake,
    keys,
    problems,
    dirty,
    changes: asked ? changesOf(withItem(draftValue, item)) : null,
    keep: () => {
      release();
      const toml = tidy(text);
      store.put({ ...item, toml }, s.etag);
      setText(toml);
      setSaved(toml);
    },
    reset: () => {
      release();
      setText(saved);
    },
  };
}

/** Where a name has not been given yet, the text has this one. */
export function freshText(table: string): string {
  return `${header(table, 'NAME')}\n`;
}

function readOwn(text: string, table: string, name: string | undefined): ObjectText | TomlError {
  const read = tryObject(text);
  if (read instanceof TomlError) return read;
  if (read.table !== table) return new TomlError(t('forms.other_table', { want: `[${table}]`, found: `[${read.table}]` }), 1);
  if (name !== undefined && table !== 'basic' && read.name !== name) return new TomlError(t('forms.other_name', { want: name, found: read.name }), 1);
  return read;
}

function withItem(draft: Draft, item: Draft['items'][number]): Draft {
  return { ...draft, items: [...draft.items.filter((i) => !(i.category === item.category && i.name === item.name)), { ...item, toml: tidy(item.toml!) }] };
}

/** useGuard asks before edits are left behind. What it returns lets go, for when they were kept. */
function useGuard(dirty: boolean): () => void {
  const off = useRef<(() => void) | undefined>(undefined);
  useEffect(() => {
    if (!dirty) return;
    off.current = guardLeaving(() => confirm({ title: t('forms.leave_title'), text: t('forms.leave_text'), yes: t('forms.leave_yes'), danger: true }));
    return () => off.current?.();
  }, [dirty]);
  return () => off.current?.();
}
