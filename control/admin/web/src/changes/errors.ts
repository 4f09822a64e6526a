// Mistakes that the server found, sorted to the fields they are about.

export interface Place {
  file?: string;
  line?: number;
  key?: string;
  object?: string; // "upstream:api"
  expected?: string;
  message: string;
}

export interface SortedErrors {
  fields: Map<string, Place[]>; // by key of the object
  object: Place[]; // about the object, no single field
  others: Place[]; // about other objects
}

/** Sorts mistakes for the form of one object. */
export function sortErrors(errors: Place[], category: string, name: string, keys: Set<string>): SortedErrors {
  const sorted: SortedErrors = { fields: new Map(), object: [], others: [] };
  for (const place of errors) {
    const about = objectOf(place);
    const mine = about === undefined || (about.category === category && (category === 'basic' || about.name === name));
    const key = fieldOf(place.key ?? '', keys);
    if (!mine) sorted.others.push(place);
    else if (key === undefined) (about ? sorted.object : sorted.others).push(place);
    else sorted.fields.set(key, [...(sorted.fields.get(key) ?? []), place]);
  }
  return sorted;
}

/** What a mistake is about, if it says so. */
export function objectOf(place: Place): { category: string; name: string } | undefined {
  if (!place.object) return undefined;
  const at = place.object.indexOf(':');
  if (at < 0) return { category: place.object, name: place.object };
  return { category: place.object.slice(0, at), name: place.object.slice(at + 1) };
}

/** The field of a form that a key names: rules[1].max is about rules, upstreams.api.addrs about addrs. */
function fieldOf(path: string, keys: Set<string>): string | undefined {
  if (keys.has(path)) return path;
  const parts = path.split(/[.[\]]+/).filter((p) => p !== '');
  return parts.find((p) => keys.has(p));
}
