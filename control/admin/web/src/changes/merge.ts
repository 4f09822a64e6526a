import { readObject } from '../forms/toml/object';
import { TomlError } from '../forms/toml/scan';
import { setKey, valueText } from '../forms/toml/write';

/**
 * The text of others with the keys that were edited here. A key that both have changed is as it is here. Where a text cannot
 * be read, ours stays whole.
 */
export function mergeText(was: string | null, mine: string, theirs: string): string {
  try {
    const before = was === null ? {} : readObject(was).values;
    const now = readObject(mine).values;
    let text = theirs;
    for (const key of new Set([...Object.keys(before), ...Object.keys(now)])) {
      const same = before[key] !== undefined && now[key] !== undefined && valueText(before[key]) === valueText(now[key]);
      if (!same) text = setKey(text, key, now[key]);
    }
    return text;
  } catch (err) {
    if (err instanceof TomlError) return mine;
    throw err;
  }
}
