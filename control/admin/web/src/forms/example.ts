import type { PluginKind } from './schema';
import { tryObject } from './toml/object';
import { TomlError } from './toml/scan';

/** exampleOf takes the first plugin of the kind out of its example, which may have other tables around it. */
export function exampleOf(kind: PluginKind): string | undefined {
  const parts = (kind.example ?? '').split(/^(?=\[[^[])/m);
  for (let i = 0; i < parts.length; i++) {
    const read = tryObject(parts[i]);
    if (!(read instanceof TomlError) && read.table === 'plugins' && read.values.category === kind.category) return parts[i].replace(/\n\s*\n(#[^\n]*\n?|\s+)*$/, '\n');
  }
  return undefined;
}
