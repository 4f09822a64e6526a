import { Scanner, TomlError, define, put, tableAt, type Value } from './scan';

/** One object of the configuration, as its text says it. */
export interface ObjectText {
  table: string; // "upstreams"; "basic"
  name: string; // "" for basic
  values: { [key: string]: Value };
  places: Place[];
  heads: number[]; // where its headers begin
}

/** Where a key of the object stands. A key that is spread over sub-tables has several places. */
export interface Place {
  key: string;
  from: number; // where its line begins
  to: number; // behind its line end
  valueFrom: number; // of "key = value"; -1 for a sub-table
  valueTo: number;
  line: number;
}

/** Reads the text of one object: a table [upstreams.x], or [basic], and its sub-tables. */
export function readObject(text: string): ObjectText {
  const s = new Scanner(text);
  const reader = new Reader(s);
  s.gap();
  while (!s.done) {
    if (s.peek() === '[') reader.header();
    else reader.entry();
    s.gap();
  }
  return reader.finish();
}

/** The same, or the mistake. */
export function tryObject(text: string): ObjectText | TomlError {
  try {
    return readObject(text);
  } catch (err) {
    if (err instanceof TomlError) return err;
    throw err;
  }
}

class Reader {
  private object: ObjectText | undefined;
  private into: { [key: string]: Value } = {};
  private open: Place | undefined; // the sub-table that is being read

  constructor(private s: Scanner) {}

  header(): void {
    const s = this.s;
    const line = s.line();
    const from = s.at;
    const many = s.peek(2) === '[[';
    s.take(many ? '[[' : '[');
    s.blanks();
    const path = s.key();
    s.take(many ? ']]' : ']');
    this.closeAt(from);
    const rest = this.own(path, many);
    s.endOfLine();
    this.object!.heads.push(from);
    if (rest.length === 0) return;
    this.into = this.table(rest, many);
    this.open = { key: rest[0]!, from, to: s.text.length, valueFrom: -1, valueTo: -1, line };
    this.object!.places.push(this.open);
  }

  /** What of the path is below the object's own table. */
  private own(path: string[], many: boolean): string[] {
    const table = path[0]!;
    const depth = table === 'basic' ? 1 : 2;
    if (path.length < depth) this.s.fail(`expected a name: [${table}.NAME]`);
    const name = depth === 2 ? path[1]! : '';
    if (!this.object) {
      if (path.length === depth && many) this.s.fail(`[[${path.join('.')}]] would be a list; expected [${path.join('.')}]`);
      this.object = { table, name, values: {}, places: [], heads: [] };
      this.into = this.object.values;
      return path.slice(depth);
    }
    if (this.object.table !== table || this.object.name !== name) this.s.fail('this is a second object; the text is of one');
    if (path.length === depth) this.s.fail(`[${path.join('.')}] is there twice`);
    return path.slice(depth);
  }

  private table(path: string[], many: boolean): { [key: string]: Value } {
    const twice: () => never = () => this.s.fail(`${path.join('.')} is there twice`);
    if (!many) return tableAt(this.object!.values, path, twice);
    const holder = tableAt(this.object!.values, path.slice(0, -1), twice);
    const last = path[path.length - 1]!;
    if (!Object.hasOwn(holder, last)) define(holder, last, []);
    const list = holder[last];
    if (!Array.isArray(list)) twice();
    const fresh = {};
    list.push(fresh);
    return fresh;
  }

  entry(): void {
    const s = this.s;
    const object = this.object ?? s.fail('expected the table first, such as [upstreams.NAME]');
    const from = s.text.lastIndexOf('\n', s.at - 1) + 1;
    const line = s.line();
    const path = s.key();
    s.take('=');
    s.blanks();
    const valueFrom = s.at;
    const value = s.value();
    const valueTo = s.at;
    put(this.into, path, value, () => s.fail(`${path.join('.')} is there twice`));
    s.endOfLine();
    if (this.open) return;
    const whole = path.length === 1;
    object.places.push({ key: path[0]!, from, to: s.at, valueFrom: whole ? valueFrom : -1, valueTo: whole ? valueTo : -1, line });
  }

  private closeAt(end: number): void {
    if (this.open) this.open.to = end;
    this.open = undefined;
  }

  finish(): ObjectText {
    if (!this.object) this.s.fail('expected a table, such as [upstreams.NAME]');
    return this.object;
  }
}
