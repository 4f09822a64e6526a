import { createContext } from 'preact';
import type { Key } from './schema';
import type { Value } from './toml/scan';

/** What a widget is given. Without a value the key is not in the text. */
export type WidgetProps = {
  of: Key;
  value: Value | undefined;
  onChange: (value: Value | undefined) => void;
  id: string;
  describedby?: string;
  invalid?: boolean;
  disabled?: boolean;
};

/** Names knows the objects that a key may refer to, those of the draft too. */
export const Names = createContext<(category: string) => string[]>(() => []);

/** tie is what a control needs to belong to its row. */
export function tie(p: WidgetProps) {
  return { id: p.id, 'aria-describedby': p.describedby, 'aria-invalid': p.invalid || undefined, disabled: p.disabled };
}

/** asText shows a value in a field of text, whatever it is. */
export function asText(value: Value | undefined): string {
  if (value === undefined) return '';
  return typeof value === 'object' ? JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? String(v) : v)) : String(value);
}

/** asList gives the entries of a list; a single text counts as one entry, which TOML by hand may have. */
export function asList(value: Value | undefined): string[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value.map(asText) : [asText(value)];
}
