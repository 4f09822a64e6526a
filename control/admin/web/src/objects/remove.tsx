import { ApiError, get } from '../api/client';
import type { ObjectOne } from '../api/types';
import { draft } from '../changes/store';
import { refOf } from '../forms/paths';
import { t } from '../i18n';
import { confirm, failed } from '../ui';
import { categoryWord } from './words';

/** askRemoval puts the removal of an object into the draft. What uses it is shown first: the server refuses to leave it without. */
export async function askRemoval(category: string, name: string): Promise<boolean> {
  const known = draft.find(category, name);
  if (known && known.was === null) return dropNew(category, name);
  try {
    const { data, etag } = await get<ObjectOne>(`/objects/${category}/${encodeURIComponent(name)}`);
    const users = (data.used_by ?? []).filter((u) => !removedInDraft(u));
    const yes = await confirm({
      title: t('objects.remove_title', { what: categoryWord(category), name }),
      text: users.length > 0 ? <Users users={users} /> : t('objects.remove_text'),
      yes: t('objects.remove_yes'),
      danger: true,
    });
    if (!yes) return false;
    draft.put({ category, name, toml: null, was: data.toml }, etag);
    return true;
  } catch (err) {
    failed(err instanceof ApiError ? err : new Error(String(err)));
    return false;
  }
}

async function dropNew(category: string, name: string): Promise<boolean> {
  const yes = await confirm({ title: t('objects.drop_title', { name }), text: t('objects.drop_text'), yes: t('objects.drop_yes'), danger: true });
  if (yes) draft.drop(category, name);
  return yes;
}

function removedInDraft(reference: string): boolean {
  const { category, name } = refOf(reference);
  return draft.find(category, name)?.toml === null;
}

function Users({ users }: { users: string[] }) {
  return (
    <div class="stack tight">
      <p>{t('objects.in_use', { n: users.length })}</p>
      <ul class="plain-list">
        {users.slice(0, 12).map((u) => (
          <li class="mono small">{u}</li>
        ))}
        {users.length > 12 && <li class="muted small">+{users.length - 12}</li>}
      </ul>
      <p class="muted">{t('objects.in_use_hint')}</p>
    </div>
  );
}
