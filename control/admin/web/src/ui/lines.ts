// A unified diff, read for showing.

export interface DiffLine {
  kind: 'same' | 'added' | 'removed' | 'hunk' | 'file';
  text: string;
  old?: number; // line numbers
  new?: number;
}

/** Reads the lines of a unified diff. A line that is none is shown as it is. */
export function readDiff(text: string): DiffLine[] {
  const lines = splitLines(text);
  const left = { old: 0, new: 0 }; // lines that the hunk still has
  let [from, to] = [1, 1];
  return lines.map((line): DiffLine => {
    const inside = left.old > 0 || left.new > 0;
    const hunk = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(line);
    if (hunk && !inside) {
      [from, to] = [Number(hunk[1]), Number(hunk[3])];
      [left.old, left.new] = [Number(hunk[2] ?? 1), Number(hunk[4] ?? 1)];
      return { kind: 'hunk', text: line };
    }
    if (!inside && /^(---|\+\+\+) /.test(line)) return { kind: 'file', text: line };
    if (!line.startsWith('+')) left.old--;
    if (!line.startsWith('-')) left.new--;
    if (line.startsWith('+')) return { kind: 'added', text: line.slice(1), new: to++ };
    if (line.startsWith('-')) return { kind: 'removed', text: line.slice(1), old: from++ };
    return { kind: 'same', text: line.replace(/^ /, ''), old: from++, new: to++ };
  });
}

const maxLines = 4000;

/** The difference of two texts by lines, for a draft that the server cannot compare (yet). The longest common subsequence, of what is not the same at both ends. */
export function diffLines(old: string, now: string): DiffLine[] {
  const a = splitLines(old);
  const b = splitLines(now);
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const middle = compare(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  const kinds: [DiffLine['kind'], string][] = [
    ...a.slice(0, head).map((t): [DiffLine['kind'], string] => ['same', t]),
    ...middle,
    ...a.slice(a.length - tail).map((t): [DiffLine['kind'], string] => ['same', t]),
  ];
  return numbered(kinds);
}

function splitLines(text: string): string[] {
  const lines = text.split('\n');
  if (lines[lines.length - 1] === '') lines.pop();
  return lines;
}

function compare(a: string[], b: string[]): [DiffLine['kind'], string][] {
  if (a.length * b.length > maxLines * maxLines) return [...a.map((t): [DiffLine['kind'], string] => ['removed', t]), ...b.map((t): [DiffLine['kind'], string] => ['added', t])];
  const width = b.length + 1;
  const common = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i * width + j] = a[i] === b[j] ? common[(i + 1) * width + j + 1]! + 1 : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!);
    }
  }
  const out: [DiffLine['kind'], string][] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) (out.push(['same', a[i++]!]), j++);
    else if (j >= b.length || (i < a.length && common[(i + 1) * width + j]! >= common[i * width + j + 1]!)) out.push(['removed', a[i++]!]);
    else out.push(['added', b[j++]!]);
  }
  return out;
}

function numbered(kinds: [DiffLine['kind'], string][]): DiffLine[] {
  let from = 1;
  let to = 1;
  return kinds.map(([kind, text]): DiffLine => {
    if (kind === 'added') return { kind, text, new: to++ };
    if (kind === 'removed') return { kind, text, old: from++ };
    return { kind, text, old: from++, new: to++ };
  });
}
