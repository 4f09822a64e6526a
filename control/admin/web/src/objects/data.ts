import { useMemo } from 'preact/hooks';
import { useResource, type Resource } from '../api/hooks';
import type { ObjectLine, ObjectList, ObjectOne } from '../api/types';
import { useDraft } from '../changes/store';
import type { Schema } from '../forms/schema';

/** Backends and Certificates: what GET /upstreams and GET /inventory answer, as far as lists show it. */
export type Backend = { address: string; weight: number; backup: boolean; health: string; reason?: string; since?: string; admin: string; in_flight: number };
export type UpstreamHealth = { name: string; problems: string[] | null; backends: Backend[] | null };
export type Validity = { name: string; domains: string[] | null; source: string; issuer?: string; not_after?: string; days_left: number; last_error?: string; busy?: boolean };

export type Configs = Record<string, Record<string, unknown>>;

export const useSchema = (): Resource<Schema> => useResource<Schema>('/schema');
export const useObjects = (): Resource<ObjectList> => useResource<ObjectList>('/objects');

/** configPath is the path of all objects of a category. */
export function useConfigs(category: string): Resource<Configs> {
  return useResource<Configs>(category === 'basic' ? null : `/configs/${category}`);
}

export function useObject(category: string, name: string | null): Resource<ObjectOne> {
  return useResource<ObjectOne>(name === null ? null : `/objects/${category}/${encodeURIComponent(name)}`);
}

/** useHealth reads the backends of all upstreams, again every few seconds; by name of the upstream. */
export function useHealth(wanted: boolean): Map<string, UpstreamHealth> {
  const { data } = useResource<{ upstreams: UpstreamHealth[] | null }>(wanted ? '/upstreams' : null, 5000);
  return useMemo(() => new Map((data?.upstreams ?? []).map((u) => [u.name, u])), [data]);
}

export function useValidity(wanted: boolean): Map<string, Validity> {
  const { data } = useResource<{ certificates: Validity[] | null }>(wanted ? '/inventory' : null, 30_000);
  return useMemo(() => new Map((data?.certificates ?? []).map((c) => [c.name, c])), [data]);
}

const none: string[] = [];

/** useNames gives the names of a category, with those that the draft adds and without those that it removes. */
export function useNames(objects: ObjectLine[] | undefined): (category: string) => string[] {
  const { items } = useDraft();
  return useMemo(() => {
    const byCategory = new Map<string, Set<string>>();
    const of = (category: string) => byCategory.get(category) ?? byCategory.set(category, new Set()).get(category)!;
    for (const o of objects ?? []) of(o.category).add(o.name);
    for (const i of items) {
      if (i.toml === null) of(i.category).delete(i.name);
      else of(i.category).add(i.name);
    }
    const order = new Intl.Collator(undefined, { numeric: true });
    const sorted = new Map([...byCategory].map(([category, names]) => [category, [...names].sort(order.compare)]));
    return (category: string) => sorted.get(category) ?? none;
  }, [objects, items]);
}

/** Serving counts the backends of an upstream that get requests, and says how it is. */
export function serving(health: UpstreamHealth | undefined): { healthy: number; total: number; tone: 'ok' | 'warn' | 'bad' | 'mute' } {
  const backends = health?.backends ?? [];
  const healthy = backends.filter((b) => b.health !== 'unhealthy' && b.admin === 'up').length;
  const tone = backends.length === 0 ? 'mute' : healthy === 0 ? 'bad' : healthy < backends.length ? 'warn' : 'ok';
  return { healthy, total: backends.length, tone };
}
