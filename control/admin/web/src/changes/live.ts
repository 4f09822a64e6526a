// Whether a change is live: what each worker of the newest generation serves, as GET /status says it.

export interface Process {
  kind: string;
  pid: number;
  slot: number;
  generation: number;
  state: string;
  sha?: string;
  version?: number;
}

export interface Applied {
  version: number;
  sha?: string;
  class: string;
  took_ms?: number;
  workers?: { pid: number; slot: number; generation: number; version: number }[];
  warnings?: string[];
}

export interface WorkerState {
  pid: number;
  slot: number;
  generation: number;
  state: 'live' | 'waiting' | 'draining';
}

/** What each worker does with the version that was applied. Workers of older generations only finish what they have. */
export function workerStates(processes: Process[], applied: Applied): WorkerState[] {
  const workers = processes.filter((p) => p.kind === 'worker');
  const newest = Math.max(0, ...workers.filter((w) => w.state !== 'draining').map((w) => w.generation));
  return workers
    .map((w): WorkerState => ({ pid: w.pid, slot: w.slot, generation: w.generation, state: stateOf(w, newest, applied) }))
    .sort((a, b) => b.generation - a.generation || a.slot - b.slot);
}

/** What the answer to the change itself says of the workers, before anybody has asked for the status. */
export function answeredStates(applied: Applied): WorkerState[] {
  return (applied.workers ?? []).map((w) => ({ pid: w.pid, slot: w.slot, generation: w.generation, state: w.version >= applied.version ? 'live' : 'waiting' }));
}

function stateOf(w: Process, newest: number, applied: Applied): WorkerState['state'] {
  if (w.state === 'draining' || w.generation < newest) return 'draining';
  const serves = w.version !== undefined ? w.version >= applied.version : w.sha !== undefined && w.sha === applied.sha;
  return serves && w.state === 'active' ? 'live' : 'waiting';
}

/** All that take new connections serve it. */
export function allLive(states: WorkerState[]): boolean {
  const serving = states.filter((s) => s.state !== 'draining');
  return serving.length > 0 && serving.every((s) => s.state === 'live');
}
