// Reads TOML far enough for one object of the configuration: it gives the values, and says where in the text each key stands,
// so that a form can change one key and leave comments and order alone. What is valid is for the server to judge.

export type Value = string | number | bigint | boolean | Value[] | { [key: string]: Value };

/** A mistake in a text, and the line it is in, counted from 1. */
export class TomlError extends Error {
  constructor(
    message: string,
    readonly line: number,
  ) {
    super(message);
  }
}

const bare = /[A-Za-z0-9_-]/;
const escapes: Record<string, string> = { b: '\b', t: '\t', n: '\n', f: '\f', r: '\r', e: '\x1b', '"': '"', '\\': '\\' };
const maxDepth = 64;

/** Scanner walks over a text. Every method leaves it behind what it has read. */
export class Scanner {
  at = 0;
  private depth = 0;

  constructor(readonly text: string) {}

  fail(message: string): never {
    throw new TomlError(message, this.line());
  }

  line(): number {
    let n = 1;
    for (let i = 0; i < this.at && i < this.text.length; i++) if (this.text[i] === '\n') n++;
    return n;
  }

  get done(): boolean {
    return this.at >= this.text.length;
  }

  peek(length = 1): string {
    return this.text.substr(this.at, length);
  }

  take(expected: string): void {
    if (!this.text.startsWith(expected, this.at)) this.fail(`expected ${expected}`);
    this.at += expected.length;
  }

  blanks(): void {
    while (this.peek() === ' ' || this.peek() === '\t') this.at++;
  }

  /** Blanks, comments and line ends. */
  gap(): void {
    for (;;) {
      this.blanks();
      if (this.peek() === '#') this.comment();
      else if (this.peek() === '\n') this.at++;
      else if (this.peek(2) === '\r\n') this.at += 2;
      else return;
    }
  }

  comment(): void {
    while (!this.done && this.peek() !== '\n') this.at++;
  }

  /** What may stand behind a value on its line, and the line end. */
  endOfLine(): void {
    this.blanks();
    if (this.peek() === '#') this.comment();
    if (this.peek() === '\r') this.at++;
    if (this.done) return;
    if (this.peek() !== '\n') this.fail('expected the end of the line');
    this.at++;
  }

  /** A key with its parts, at most so many: a.b."c d". */
  key(most = Infinity): string[] {
    const parts = [this.keyPart()];
    for (;;) {
      if (parts.length >= most) return parts;
      this.blanks();
      if (this.peek() !== '.') return parts;
      this.at++;
      this.blanks();
      parts.push(this.keyPart());
    }
  }

  private keyPart(): string {
    if (this.peek() === '"') return this.basic();
    if (this.peek() === "'") return this.literal();
    const from = this.at;
    while (!this.done && bare.test(this.peek())) this.at++;
    if (this.at === from) this.fail('expected a key');
    return this.text.slice(from, this.at);
  }

  value(): Value {
    const c = this.peek();
    if (this.peek(3) === '"""') return this.longBasic();
    if (this.peek(3) === "'''") return this.longLiteral();
    if (c === '"') return this.basic();
    if (c === "'") return this.literal();
    if (c === '[') return this.nested(() => this.array());
    if (c === '{') return this.nested(() => this.inlineTable());
    return this.word();
  }

  private nested<T>(read: () => T): T {
    if (++this.depth > maxDepth) this.fail('nested too deeply');
    const value = read();
    this.depth--;
    return value;
  }

  private word(): Value {
    const from = this.at;
    while (!this.done && !/[\s,\]}#]/.test(this.peek())) this.at++;
    // A date and its time may have a blank between.
    if (/^\d{4}-\d\d-\d\d$/.test(this.text.slice(from, this.at)) && /^ \d\d:/.test(this.peek(4))) {
      this.at++;
      while (!this.done && !/[\s,\]}#]/.test(this.peek())) this.at++;
    }
    const word = this.text.slice(from, this.at);
    const value = plain(word);
    if (value === undefined) {
      this.at = from;
      this.fail(word === '' ? 'expected a value' : `${word} is no value; texts stand in quotes`);
    }
    return value;
  }

  private array(): Value[] {
    const list: Value[] = [];
    this.take('[');
    for (;;) {
      this.gap();
      if (this.peek() === ']') break;
      list.push(this.value());
      this.gap();
      if (this.peek() !== ',') break;
      this.at++;
    }
    this.take(']');
    return list;
  }

  private inlineTable(): { [key: string]: Value } {
    const table: { [key: string]: Value } = {};
    this.take('{');
    for (;;) {
      this.gap();
      if (this.peek() === '}') break;
      const key = this.key();
      this.blanks();
      this.take('=');
      this.blanks();
      put(table, key, this.value(), () => this.fail(`${key.join('.')} is there twice`));
      this.gap();
      if (this.peek() !== ',') break;
      this.at++;
    }
    this.take('}');
    return table;
  }

  private literal(): string {
    this.take("'");
    const end = this.text.indexOf("'", this.at);
    const line = this.text.indexOf('\n', this.at);
    if (end < 0 || (line >= 0 && line < end)) this.fail("the text has no end: ' is missing");
    const text = this.text.slice(this.at, end);
    this.at = end + 1;
    return text;
  }

  private longLiteral(): string {
    this.take("'''");
    this.firstLineEnd();
    let end = this.text.indexOf("'''", this.at);
    if (end < 0) this.fail("the text has no end: ''' is missing");
    while (this.text[end + 3] === "'") end++;
    const text = this.text.slice(this.at, end);
    this.at = end + 3;
    return text;
  }

  private basic(): string {
    this.take('"');
    let text = '';
    while (this.peek() !== '"') {
      if (this.done || this.peek() === '\n') this.fail('the text has no end: " is missing');
      text += this.character();
    }
    this.at++;
    return text;
  }

  private longBasic(): string {
    this.take('"""');
    this.firstLineEnd();
    let text = '';
    for (;;) {
      if (this.done) this.fail('the text has no end: """ is missing');
      if (this.peek(3) === '"""' && this.text[this.at + 3] !== '"') break;
      if (this.peek() === '\\' && /^\\[ \t]*\r?\n/.test(this.text.slice(this.at, this.at + 200))) this.skipLineEnd();
      else text += this.character();
    }
    this.at += 3;
    return text;
  }

  private firstLineEnd(): void {
    if (this.peek(2) === '\r\n') this.at += 2;
    else if (this.peek() === '\n') this.at++;
  }

  private skipLineEnd(): void {
    this.at++;
    while (!this.done && /\s/.test(this.peek())) this.at++;
  }

  private character(): string {
    const c = this.text[this.at++]!;
    if (c !== '\\') return c;
    const letter = this.text[this.at++] ?? '';
    if (letter === 'u' || letter === 'U') return this.codePoint(letter === 'u' ? 4 : 8);
    if (letter === 'x') return this.codePoint(2);
    const meant = escapes[letter];
    if (meant === undefined) this.fail(`\\${letter} is no escape; a backslash is written \\\\`);
    return meant;
  }

  private codePoint(digits: number): string {
    const hex = this.text.substr(this.at, digits);
    const code = /^[0-9A-Fa-f]+$/.test(hex) && hex.length === digits ? parseInt(hex, 16) : NaN;
    if (!(code <= 0x10ffff) || (code >= 0xd800 && code <= 0xdfff)) this.fail('this escape names no character');
    this.at += digits;
    return String.fromCodePoint(code);
  }
}

/** Numbers, booleans and dates. Dates stay the text they are: no key of ours has one. */
function plain(word: string): Value | undefined {
  if (word === 'true') return true;
  if (word === 'false') return false;
  if (/^[+-]?(0|[1-9](_?\d)*)$/.test(word)) return integer(word.replace(/_/g, ''));
  const based = /^0([xob])([0-9A-Fa-f]+(?:_[0-9A-Fa-f]+)*)$/.exec(word);
  if (based) {
    const n = parseInt(based[2]!.replace(/_/g, ''), { x: 16, o: 8, b: 2 }[based[1]!]);
    return Number.isNaN(n) ? undefined : n;
  }
  if (/^[+-]?(\d(_?\d)*)(\.\d(_?\d)*)?([eE][+-]?\d(_?\d)*)?$/.test(word)) return parseFloat(word.replace(/_/g, ''));
  if (/^[+-]?inf$/.test(word)) return word.startsWith('-') ? -Infinity : Infinity;
  if (/^[+-]?nan$/.test(word)) return NaN;
  if (/^\d{4}-\d\d-\d\d([Tt ]|$)/.test(word) || /^\d\d:\d\d:\d\d/.test(word)) return word;
  return undefined;
}

function integer(word: string): Value {
  const n = Number(word);
  return Number.isSafeInteger(n) ? n : BigInt(word.replace(/^\+/, ''));
}

/** Puts a value under a path of keys, with the tables on the way. */
export function put(table: { [key: string]: Value }, path: string[], value: Value, twice: () => never): void {
  const last = path[path.length - 1]!;
  const into = tableAt(table, path.slice(0, -1), twice);
  if (Object.hasOwn(into, last)) twice();
  define(into, last, value);
}

/** The table at a path; of an array of tables the last one. */
export function tableAt(table: { [key: string]: Value }, path: string[], twice: () => never): { [key: string]: Value } {
  let at = table;
  for (const part of path) {
    if (!Object.hasOwn(at, part)) define(at, part, {});
    let next = at[part]!;
    if (Array.isArray(next)) next = next[next.length - 1]!;
    if (typeof next !== 'object' || Array.isArray(next)) twice();
    at = next as { [key: string]: Value };
  }
  return at;
}

/** Sets a key even if it is called __proto__. */
export function define(table: { [key: string]: Value }, key: string, value: Value): void {
  Object.defineProperty(table, key, { value, writable: true, enumerable: true, configurable: true });
}
