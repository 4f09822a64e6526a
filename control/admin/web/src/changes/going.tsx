import { useEffect, useState } from 'preact/hooks';
import { ApiError, get, mayWrite, post } from '../api/client';
import { forget } from '../api/hooks';
import type { Applied, Status } from '../api/types';
import { t, type Key } from '../i18n';
import { Badge, Button, Card, confirm, Icon, LinkButton, Note, Page } from '../ui';
import { ClassBadge, Cost, TypedDiff } from '../ui/diff';
import { allLive, answeredStates, forward, workerStates, type Process, type WorkerState } from './live';

const every = 250;
const patience = 60_000;

/** Going follows a change into every worker, and takes it back if it is wanted. */
export function Going({ applied, onDone }: { applied: Applied; onDone: () => void }) {
  const [undone, setUndone] = useState<Applied | null>(null);
  const shown = undone ?? applied;
  const follow = useFollow(shown);
  return (
    <Page
      title={t(undone ? 'going.undone' : 'going.title', { version: shown.version })}
      lead={<Cost cls={shown.class} />}
      actions={
        <LinkButton href="#/history" icon="clock">
          {t('nav.history')}
        </LinkButton>
      }
    >
      {(shown.warnings ?? []).map((w) => (
        <Note tone="warn">{w}</Note>
      ))}
      <Card title={t('going.workers')} actions={<State follow={follow} />}>
        <ol class="going">
          <li class="live">
            <Icon name="check" />
            <span>
              <strong>{t('going.written')}</strong>
              <span class="muted small">{t('going.took', { ms: Math.round(shown.took_ms ?? 0) })}</span>
            </span>
          </li>
          {follow.workers.map((w) => (
            <WorkerLine key={w.pid} worker={w} version={shown.version} />
          ))}
        </ol>
        {follow.error && <Note tone="warn">{follow.error}</Note>}
        {follow.late && <Note tone="warn">{t('going.late')}</Note>}
      </Card>
      <Card title={t('diff.title')} actions={<ClassBadge cls={shown.class} />}>
        <TypedDiff changes={shown.changes ?? []} />
      </Card>
      <div class="row wrap">
        {!undone && mayWrite() && <Undo applied={applied} onUndone={setUndone} />}
        <Button onClick={onDone}>{t('going.done')}</Button>
      </div>
    </Page>
  );
}

function State({ follow }: { follow: Follow }) {
  if (follow.live)
    return (
      <Badge tone="ok" dot>
        {t('going.live')}
      </Badge>
    );
  return (
    <Badge tone="info" dot>
      {t('going.waiting')}
    </Badge>
  );
}

function WorkerLine({ worker: w, version }: { worker: WorkerState; version: number }) {
  return (
    <li class={w.state}>
      {w.state === 'live' ? <Icon name="check" /> : w.state === 'draining' ? <Icon name="down" /> : <span class="spin" />}
      <span>
        <strong>{t('going.worker', { slot: w.slot, pid: w.pid })}</strong>
        <span class="muted small">{t(`going.${w.state}_text` as Key, { version, generation: w.generation })}</span>
      </span>
    </li>
  );
}

type Follow = { workers: WorkerState[]; live: boolean; late: boolean; error?: string };

/** useFollow reads the status until every worker that takes connections serves the change, or patience ends. */
function useFollow(applied: Applied): Follow {
  const [follow, set] = useState<Follow>(() => answered(applied));
  useEffect(() => {
    let timer = 0;
    let wanted = true;
    const until = Date.now() + patience;
    let workers = answeredStates(applied);
    const look = async () => {
      const next = await lookOnce();
      if (!wanted) return;
      if (next.processes) workers = forward(workers, workerStates(next.processes, applied));
      const live = allLive(workers);
      const late = !live && Date.now() > until;
      set({ workers, live, late, error: next.error });
      const draining = workers.some((w) => w.state === 'draining');
      if (!late && (!live || draining)) timer = window.setTimeout(() => void look(), live ? 2000 : every);
    };
    set(answered(applied));
    void look();
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [applied]);
  return follow;
}

function answered(applied: Applied): Follow {
  const workers = answeredStates(applied);
  return { workers, live: allLive(workers), late: false };
}

async function lookOnce(): Promise<{ processes?: Process[]; error?: string }> {
  try {
    return { processes: (await get<Status>('/status')).data.processes };
  } catch (err) {
    return { error: err instanceof ApiError ? err.message : String(err) };
  }
}

/** Undo rolls back to the version before the change: its whole configuration, as one change of its own. */
function Undo({ applied, onUndone }: { applied: Applied; onUndone: (a: Applied) => void }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState('');
  const before = applied.version - 1;
  const undo = async () => {
    if (!(await confirm({ title: t('going.undo_title'), text: t('going.undo_text', { version: before }), yes: t('going.undo') }))) return;
    setBusy(true);
    setError('');
    try {
      const { data } = await post<Applied>(`/versions/${before}/rollback`, {});
      forget();
      onUndone(data);
    } catch (err) {
      setError(err instanceof Error ? err.message : String(err));
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      {error && <Note tone="bad">{error}</Note>}
      <Button icon="undo" busy={busy} onClick={() => void undo()}>
        {t('going.undo')}
      </Button>
    </>
  );
}
