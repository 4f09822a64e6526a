import { useState } from 'preact/hooks';
import { ApiError, login } from '../api/client';
import { t } from '../i18n';
import { Button, Note } from '../ui/basics';
import { Field, Input } from '../ui/field';
import './login.css';

/** Login is all that is shown to somebody without a session. */
export function Login() {
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState('');
  const submit = async (e: Event) => {
    e.preventDefault();
    setBusy(true);
    setError('');
    try {
      await login(user, password);
    } catch (e) {
      setError(reason(e));
    } finally {
      setBusy(false);
    }
  };
  return (
    <main class="login">
      <form class="card" onSubmit={submit}>
        <h1>pingap</h1>
        <p class="muted">{t('login.lead')}</p>
        {error && <Note tone="bad">{error}</Note>}
        <Field label={t('login.user')}>
          <Input name="user" autocomplete="username" autofocus required value={user} onInput={(e) => setUser(e.currentTarget.value)} />
        </Field>
        <Field label={t('login.password')}>
          <Input name="password" type="password" autocomplete="current-password" required value={password} onInput={(e) => setPassword(e.currentTarget.value)} />
        </Field>
        <Button type="submit" kind="primary" busy={busy}>
          {t('login.in')}
        </Button>
      </form>
    </main>
  );
}

function reason(e: unknown): string {
  if (!(e instanceof ApiError)) return String(e);
  if (e.status === 401) return t('login.wrong');
  if (e.status === 403 || e.status === 429) return t('login.locked');
  if (e.status === 0) return t('health.lost');
  return e.message;
}
