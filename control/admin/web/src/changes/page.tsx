import { useState } from 'preact/hooks';
import { ApiError, post } from '../api/client';
import { forget } from '../api/hooks';
import type { Applied } from '../api/types';
import { useInstance, useMayEdit } from '../app/instance';
import { refOf } from '../forms/paths';
import { t } from '../i18n';
import { Button, Card, confirm, Empty, Field, Input, LinkButton, Note, Page, Skeleton } from '../ui';
import { Cost } from '../ui/diff';
import { Problems } from '../objects/editor';
import { useCheck } from './check';
import { changesOf, type Draft } from './draft';
import { draft, useDraft } from './store';
import { PreviewCard } from './preview';
import { Items } from './items';
import { Going } from './going';
import { Lost } from './lost';
import './changes.css';
import '../objects/objects.css';

/** Changes is the review of the draft: what will change, what it costs, and then its way into all workers. */
export default function Changes() {
  const value = useDraft();
  const { panel_only: alone } = useInstance();
  const [applied, setApplied] = useState<Applied | null>(null);
  if (applied && alone && value.items.length === 0) return <Saved onDone={() => setApplied(null)} />;
  if (applied && value.items.length === 0) return <Going applied={applied} onDone={() => setApplied(null)} />;
  if (value.items.length === 0) {
    return (
      <Page title={t('nav.changes')}>
        <div class="card">
          <Empty icon="edit" title={t('draft.empty')} action={<LinkButton href="#/upstreams">{t('nav.upstreams')}</LinkButton>}>
            {t('draft.empty_hint')}
          </Empty>
        </div>
      </Page>
    );
  }
  return <Review value={value} onApplied={setApplied} />;
}

/** Saved is the end where nothing is applied: there is no worker to follow, and no version to go back to. */
function Saved({ onDone }: { onDone: () => void }) {
  return (
    <Page title={t('draft.saved')}>
      <Note tone="ok">{t('draft.saved_text')}</Note>
      <Button onClick={onDone}>{t('going.done')}</Button>
    </Page>
  );
}

function Review({ value, onApplied }: { value: Draft; onApplied: (a: Applied) => void }) {
  const mayEdit = useMayEdit();
  const { panel_only: alone } = useInstance();
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<ApiError | null>(null);
  const changes = changesOf(value);
  const check = useCheck(changes, 200);
  const lost = failure?.status === 412;
  const moved = check.preview && value.base !== '' && check.preview.base !== '' && bare(check.preview.base) !== bare(value.base);
  const apply = async () => {
    setBusy(true);
    setFailure(null);
    try {
      const { data } = await post<Applied>('/changes', { body: changes, ifMatch: value.base || undefined });
      forget();
      draft.clear();
      onApplied(data);
    } catch (err) {
      setFailure(err instanceof ApiError ? err : new ApiError(0, String(err)));
    } finally {
      setBusy(false);
    }
  };
  const again = (base: string) => {
    draft.rebase(base);
    setFailure(null);
    check.again();
  };
  const ready = check.preview && !check.busy && !lost && !moved && mayEdit;
  return (
    <Page title={t('draft.title')} lead={t(alone ? 'draft.lead_alone' : 'draft.lead')} actions={<Clear />}>
      {(lost || moved) && <Lost value={value} now={check.preview?.base} onAgain={again} />}
      {failure &&
        !lost &&
        (failure.errors.length > 0 ? <Problems places={failure.errors} /> : <Note tone="bad">{failure.usedBy.length > 0 ? <Used error={failure} /> : failureText(failure)}</Note>)}
      {check.error &&
        !failure &&
        (check.error.errors.length > 0 ? (
          <Problems places={check.error.errors} />
        ) : (
          <Note tone="bad">
            <Used error={check.error} />
          </Note>
        ))}
      <Items value={value} errors={check.error?.errors ?? []} />
      {check.preview ? (
        <PreviewCard preview={check.preview} />
      ) : (
        check.busy && (
          <Card>
            <Skeleton />
          </Card>
        )
      )}
      <section class="card apply-card">
        <Field label={t('draft.remark')} help={t('draft.remark_help')}>
          <Input value={value.remark} maxLength={200} onInput={(e) => draft.remark(e.currentTarget.value)} />
        </Field>
        <div class="apply-row">
          <div class="grow">{check.preview && !alone && <Cost cls={check.preview.class} />}</div>
          <Button kind="primary" icon="check" busy={busy} disabled={!ready} onClick={() => void apply()}>
            {t(alone ? 'draft.write' : 'draft.apply', { n: value.items.length })}
          </Button>
        </div>
      </section>
    </Page>
  );
}

function bare(etag: string): string {
  return etag.replace(/^W\//, '').replace(/"/g, '');
}

/** Used names what still uses an object that the draft deletes. */
function Used({ error }: { error: ApiError }) {
  return (
    <>
      {error.message}
      {error.usedBy.length > 0 && (
        <span class="refs wrap">
          {error.usedBy.slice(0, 20).map((u) => (
            <a class="chip" href={refOf(u).href}>
              {u}
            </a>
          ))}
          {error.usedBy.length > 20 && <span class="muted">+{error.usedBy.length - 20}</span>}
        </span>
      )}
    </>
  );
}

function failureText(error: ApiError): string {
  if (error.status === 503 && error.retryAfter > 0) return `${error.message} ${t('draft.busy', { n: error.retryAfter })}`;
  return error.message;
}

function Clear() {
  const clear = async () => (await confirm({ title: t('draft.clear_title'), text: t('draft.clear_text'), yes: t('draft.clear'), danger: true })) && draft.clear();
  return (
    <Button icon="trash" kind="danger" onClick={() => void clear()}>
      {t('draft.clear')}
    </Button>
  );
}
