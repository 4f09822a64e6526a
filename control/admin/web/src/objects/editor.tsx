import { useMemo, useState } from 'preact/hooks';
import { mayWrite } from '../api/client';
import type { ObjectOne } from '../api/types';
import { useMayEdit } from '../app/instance';
import { link, navigate } from '../app/router';
import { useCheck } from '../changes/check';
import { draft, useDraft } from '../changes/store';
import { sortErrors } from '../changes/errors';
import { TomlEditor } from '../forms/editor';
import { ObjectForm, problemText } from '../forms/form';
import { Names } from '../forms/parts';
import { listOf, pathOf } from '../forms/paths';
import { tableOf, type Schema } from '../forms/schema';
import { rename } from '../forms/toml/write';
import { t } from '../i18n';
import { Badge, Button, Card, Field, Icon, Input, LinkButton, Note, Page, Skeleton, Tabs } from '../ui';
import { useNarrow } from '../ui/narrow';
import { useNames, useObject, useObjects, useSchema } from './data';
import { freshText, useEditing, type Editing } from './editing';
import { KindChooser, KindNote } from './kinds';
import { DraftBadge, Gone } from './list';
import { Past } from './past';
import { SaveBar } from './savebar';
import { askRemoval } from './remove';
import { Facts, Where } from './side';
import { categoryTitle, categoryWord } from './words';

type Props = { category: string; name: string | null; copyOf?: string };

/** Editor loads what an object needs to be edited; name null makes a new one. */
export function Editor({ category, name, copyOf }: Props) {
  const schema = useSchema();
  const objects = useObjects();
  const one = useObject(category, name ?? copyOf ?? null);
  const { items } = useDraft();
  const known = draft.find(category, name ?? '');
  const error = schema.error ?? objects.error ?? (one.error?.status === 404 ? undefined : one.error);
  const title = name ?? t('objects.new', { what: categoryWord(category).toLowerCase() });
  if (error && !schema.data) return <Frame category={category} title={title} children={<Note tone="bad">{error.message}</Note>} />;
  if (!schema.data || !objects.data || ((name ?? copyOf ?? null) !== null && one.loading)) return <Frame category={category} title={title} children={<Skeleton lines={8} />} />;
  if (name !== null && !one.data && !known && category !== 'basic') return <Gone category={category} name={name} />;
  const table = tableOf(schema.data, category);
  const copied = copyOf ? (draft.find(category, copyOf)?.toml ?? one.data?.toml) : undefined;
  const fresh = name === null;
  const was = fresh ? null : (known?.was ?? one.data?.toml ?? null);
  const start = fresh ? (copied ? rename(copied, freeName(copyOf!, category, items, objects.data.objects)) : freshText(table)) : (known?.toml ?? one.data?.toml ?? `[${table}]\n`);
  const startName = fresh ? (copied ? freeName(copyOf!, category, items, objects.data.objects) : '') : name;
  return (
    <Loaded
      key={`${category}:${name}`}
      category={category}
      schema={schema.data}
      was={was}
      start={start}
      name={startName}
      fresh={fresh}
      one={fresh ? undefined : one.data}
      etag={one.etag || objects.etag}
    />
  );
}

function freeName(name: string, category: string, items: { category: string; name: string }[], objects: { category: string; name: string }[]): string {
  const taken = new Set([...items, ...objects].filter((o) => o.category === category).map((o) => o.name));
  for (let n = 2; ; n++) if (!taken.has(`${name}-${n}`)) return `${name}-${n}`;
}

function Frame({
  category,
  title,
  children,
  badges,
  actions,
}: {
  category: string;
  title: string;
  children: preact.ComponentChildren;
  badges?: preact.ComponentChildren;
  actions?: preact.ComponentChildren;
}) {
  const heading =
    category === 'basic' ? (
      categoryTitle('basic')
    ) : (
      <span class="crumbs">
        <a href={listOf(category)}>{categoryTitle(category)}</a>
        <Icon name="right" />
        <span class="cut">{title}</span>
        {badges}
      </span>
    );
  return (
    <Page title={heading} actions={actions}>
      {children}
    </Page>
  );
}

type LoadedProps = { category: string; schema: Schema; was: string | null; start: string; name: string; fresh: boolean; one?: ObjectOne; etag: string };

function Loaded(p: LoadedProps) {
  const objects = useObjects().data?.objects;
  const names = useNames(objects);
  const edit = useEditing({ ...p, taken: (n) => names(p.category).includes(n) });
  const check = useCheck(edit.changes);
  const keySet = useMemo(() => new Set(edit.keys.map((k) => k.name)), [edit.keys]);
  const errors = useMemo(() => sortErrors(check.error?.errors ?? [], p.category, edit.name, keySet), [check.error, keySet, edit.name]);
  const item = draft.find(p.category, p.name);
  useDraft();
  const narrow = useNarrow('(max-width: 1180px)');
  const [tab, setTab] = useState<'form' | 'toml'>('form');
  const readOnly = !useMayEdit();
  const keep = (then: 'review' | 'list') => {
    edit.keep();
    navigate(then === 'review' ? '#/changes' : p.category === 'basic' ? '#/basic' : listOf(p.category));
  };
  const needsKind = p.category === 'plugin' && !edit.object.values.category && !edit.mistake;
  const form = needsKind ? (
    <KindChooser schema={p.schema} onChoose={(kind) => edit.set('category', kind)} />
  ) : (
    <>
      {p.category === 'plugin' && <KindNote schema={p.schema} editing={edit} fresh={p.fresh} />}
      <ObjectForm category={p.category} keys={edit.keys} values={edit.object.values} errors={errors.fields} disabled={readOnly || edit.mistake !== undefined} onChange={edit.set} />
    </>
  );
  const toml = (
    <div class="stack">
      <TomlEditor text={edit.text} mistake={edit.mistake} label={t('forms.toml_label')} disabled={readOnly} minRows={narrow ? 18 : 10} onText={edit.setText} />
      <p class="muted small">{t('forms.toml_hint')}</p>
    </div>
  );
  return (
    <Names.Provider value={names}>
      <Frame
        category={p.category}
        title={p.fresh ? t('objects.new', { what: categoryWord(p.category).toLowerCase() }) : p.name}
        badges={<DraftBadge item={item} />}
        actions={<Actions p={p} editing={edit} />}
      >
        {item?.toml === null && !edit.dirty && <RemovedNote category={p.category} name={p.name} was={item.was} />}
        {!mayWrite() && <Note>{t('common.readonly')}</Note>}
        {p.fresh && (
          <NameCard name={edit.name} problem={edit.name === '' ? undefined : edit.nameProblem && problemText(edit.nameProblem)} onName={edit.setName} category={p.category} />
        )}
        {errors.object.length + errors.others.length > 0 && <Problems places={[...errors.object, ...errors.others]} />}
        {narrow && (
          <Tabs
            value={tab}
            onChange={setTab}
            label={t('forms.view')}
            options={[
              { value: 'form', label: t('forms.form') },
              { value: 'toml', label: 'TOML' },
            ]}
          />
        )}
        <div class={narrow ? 'editor narrow' : 'editor'}>
          <div class="form-side">
            {narrow && tab === 'toml' ? (
              toml
            ) : edit.mistake ? (
              <div class="stack">
                <Note tone="warn">{t('forms.mistake_first')}</Note>
                {form}
              </div>
            ) : (
              form
            )}
          </div>
          <aside class="text-side" aria-label={t('forms.beside')}>
            {!narrow && <Card title="TOML">{toml}</Card>}
            {!p.fresh && <Facts category={p.category} name={p.name} />}
            {p.one && <Where one={p.one} />}
          </aside>
        </div>
        {!readOnly && (
          <SaveBar
            editing={edit}
            check={check}
            inDraft={item !== undefined && item.toml !== null}
            errorCount={errors.fields.size + errors.object.length + errors.others.length}
            onKeep={keep}
          />
        )}
      </Frame>
    </Names.Provider>
  );
}

function Actions({ p, editing }: { p: LoadedProps; editing: Editing }) {
  const [past, setPast] = useState(false);
  const mayEdit = useMayEdit();
  if (p.fresh) return null;
  const route = p.category === 'server' && p.one && (
    <LinkButton icon="map" href={link('/routes', { name: p.name })}>
      {t('nav.routes')}
    </LinkButton>
  );
  const history = (
    <>
      <Button icon="clock" onClick={() => setPast(true)}>
        {t('objects.history')}
      </Button>
      {past && <Past category={p.category} table={tableOf(p.schema, p.category)} name={p.name} text={editing.text} onTake={editing.setText} onClose={() => setPast(false)} />}
    </>
  );
  if (!mayEdit || p.category === 'basic')
    return (
      <>
        {route}
        {history}
      </>
    );
  const gone = async () => (await askRemoval(p.category, p.name)) && navigate(listOf(p.category));
  return (
    <>
      {route}
      {history}
      <LinkButton icon="copy" href={link(listOf(p.category).slice(1), { name: '*', copy: p.name })}>
        {t('common.copy')}
      </LinkButton>
      <Button icon="trash" kind="danger" onClick={() => void gone()}>
        {t('common.delete')}
      </Button>
    </>
  );
}

function RemovedNote({ category, name, was }: { category: string; name: string; was: string | null }) {
  const back = () => {
    draft.drop(category, name);
    navigate(was === null ? listOf(category) : pathOf(category, name));
  };
  return (
    <Note tone="warn">
      {t('draft.will_go')}{' '}
      <Button small icon="undo" onClick={back}>
        {t('draft.take_back')}
      </Button>
    </Note>
  );
}

function NameCard({ name, problem, category, onName }: { name: string; problem?: string; category: string; onName: (name: string) => void }) {
  return (
    <section class="card name-card">
      <Field label={t('common.name')} help={t(category === 'location' ? 'objects.name_help_location' : 'objects.name_help')} error={problem} required>
        <Input class="mono" autofocus value={name} onInput={(e) => onName(e.currentTarget.value)} />
      </Field>
    </section>
  );
}

/** Problems lists mistakes that no field of the form has. */
export function Problems({ places }: { places: { object?: string; key?: string; file?: string; line?: number; message: string }[] }) {
  return (
    <Note tone="bad">
      <ul class="plain-list">
        {places.slice(0, 20).map((e) => (
          <li>
            {e.object && <Badge tone="bad">{e.object}</Badge>} {e.key && <code>{e.key}</code>} {e.message}
            {e.file && (
              <span class="muted small">
                {' '}
                {e.file}
                {e.line ? `:${e.line}` : ''}
              </span>
            )}
          </li>
        ))}
        {places.length > 20 && <li class="muted">+{places.length - 20}</li>}
      </ul>
    </Note>
  );
}
