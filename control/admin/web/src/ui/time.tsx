import { useEffect, useState } from 'preact/hooks';
import { t } from '../i18n';
import { dateTime, span } from './format';

const zero = '0001-01-01T00:00:00Z';

/** known says whether a time of the API is one: the zero time of Go means never. */
export function known(at?: string | number | null): at is string | number {
  return at !== undefined && at !== null && at !== '' && at !== 0 && at !== zero;
}

/** Time shows how long ago (or until when) something is; the exact time is its title. It stays true while it is looked at. */
export function Time({ at, exact }: { at?: string | number | null; exact?: boolean }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const id = setInterval(() => tick((n) => n + 1), 10_000);
    return () => clearInterval(id);
  }, []);
  if (!known(at)) return <span class="muted">–</span>;
  const date = new Date(at);
  const full = dateTime(date);
  return (
    <time dateTime={date.toISOString()} title={full} class="nowrap">
      {exact ? full : ago(date.getTime())}
    </time>
  );
}

/** ago says in words how far a time is from now. */
export function ago(ms: number, now = Date.now()): string {
  const past = now - ms;
  if (Math.abs(past) < 5_000) return t('time.now');
  const short = span(Math.abs(past)).split(' ')[0];
  return past > 0 ? t('time.ago', { span: short }) : t('time.in', { span: short });
}
