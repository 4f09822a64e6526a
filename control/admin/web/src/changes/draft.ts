import { mergeText } from './merge';

// The draft: what was edited and is not applied yet. It survives reloads of the page, not the end of the browser's tab.

export interface Draft {
  /** ETag of the configuration that the first edit was made on. */
  base: string;
  items: Item[];
  remark: string;
}

/** What is to become of one object. */
export interface Item {
  category: string;
  name: string;
  /** The text it shall have; null removes it. */
  toml: string | null;
  /** The text it had when it was first edited; null where there was none. */
  was: string | null;
}

/** The part of the browser's sessionStorage that is used. */
export interface Store {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** The body of POST /changes. */
export interface Changes {
  set?: Record<string, Record<string, null>>;
  toml?: Record<string, Record<string, string>>;
  remark?: string;
}

const storeKey = 'pingap.draft';

export function emptyDraft(): Draft {
  return { base: '', items: [], remark: '' };
}

export function itemKey(category: string, name: string): string {
  return category === 'basic' ? 'basic' : `${category}:${name}`;
}

/** The draft of this tab, and who wants to know when it changes. */
export class DraftStore {
  private draft: Draft;
  private listeners = new Set<() => void>();

  constructor(private store: Store | undefined) {
    this.draft = read(store);
  }

  get value(): Draft {
    return this.draft;
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  find(category: string, name: string): Item | undefined {
    return this.draft.items.find((i) => i.category === category && i.name === name);
  }

  /** Adds an edit, or joins it with the one there is of the same object. An edit that changes nothing leaves the draft. */
  put(item: Item, base: string): void {
    const known = this.find(item.category, item.name);
    const joined = known ? { ...item, was: known.was } : item;
    const others = this.draft.items.filter((i) => i !== known);
    const items = joined.toml === joined.was ? others : known ? this.draft.items.map((i) => (i === known ? joined : i)) : [...others, joined];
    this.set({ ...this.draft, base: items.length === 0 ? '' : this.draft.base || base, items });
  }

  drop(category: string, name: string): void {
    const items = this.draft.items.filter((i) => !(i.category === category && i.name === name));
    this.set(items.length === 0 ? emptyDraft() : { ...this.draft, items });
  }

  remark(text: string): void {
    this.set({ ...this.draft, remark: text });
  }

  /** The draft is on a newer configuration from now on: whoever reviews it has seen what others changed. */
  rebase(base: string): void {
    this.set({ ...this.draft, base });
  }

  /** Puts an edit on top of what others have made of the object meanwhile. */
  onto(category: string, name: string, theirs: string): void {
    const items = this.draft.items.map((i) => (i.category === category && i.name === name && i.toml !== null ? { ...i, toml: mergeText(i.was, i.toml, theirs), was: theirs } : i));
    this.set({ ...this.draft, items });
  }

  clear(): void {
    this.set(emptyDraft());
  }

  private set(draft: Draft): void {
    this.draft = draft;
    try {
      if (draft.items.length === 0) this.store?.removeItem(storeKey);
      else this.store?.setItem(storeKey, JSON.stringify(draft));
    } catch {
      // A full or forbidden store costs the draft a reload of the page, no more.
    }
    for (const listener of this.listeners) listener();
  }
}

function read(store: Store | undefined): Draft {
  try {
    const value: unknown = JSON.parse(store?.getItem(storeKey) ?? 'null');
    return isDraft(value) ? value : emptyDraft();
  } catch {
    return emptyDraft();
  }
}

function isDraft(value: unknown): value is Draft {
  const d = value as Draft | null;
  return typeof d === 'object' && d !== null && typeof d.base === 'string' && typeof d.remark === 'string' && Array.isArray(d.items) && d.items.every(isItem);
}

function isItem(value: unknown): boolean {
  const i = value as Item | null;
  const text = (t: unknown): boolean => t === null || typeof t === 'string';
  return typeof i === 'object' && i !== null && typeof i.category === 'string' && typeof i.name === 'string' && text(i.toml) && text(i.was);
}

/** The draft as the server takes it, all of it one transaction. */
export function changesOf(draft: Draft): Changes {
  const body: Changes = {};
  for (const { category, name, toml } of draft.items) {
    const key = category === 'basic' ? 'basic' : name;
    if (toml === null) ((body.set ??= {})[category] ??= {})[key] = null;
    else ((body.toml ??= {})[category] ??= {})[key] = toml;
  }
  if (draft.remark.trim() !== '') body.remark = draft.remark.trim();
  return body;
}

/** The number of a version in an ETag: "12" or "12-1f2e3d4c", quoted or not. */
export function versionOf(etag: string): number | undefined {
  const match = /^(?:W\/)?"?(\d+)(?:-[0-9a-f]+)?"?$/.exec(etag.trim());
  return match ? Number(match[1]) : undefined;
}
