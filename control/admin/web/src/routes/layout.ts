// Where everything of a route map stands. Numbers only, so that it can be tested; draw.tsx makes a picture of it.

export interface RoutePlugin {
  name: string;
  category: string;
  step: string;
}

export interface RouteLocation {
  name: string;
  order: number;
  host: string[] | null;
  path: string;
  kind: string;
  weight: number;
  plugins: RoutePlugin[] | null;
  upstream: string;
  healthy: number;
  total: number;
}

export interface Chip {
  x: number;
  width: number;
  label: string;
  plugin?: RoutePlugin; // none for "+3"
}

export interface Row {
  location: RouteLocation;
  y: number; // of its middle
  chips: Chip[];
}

export interface Node {
  name: string;
  y: number;
  healthy: number;
  total: number;
  locations: number[]; // rows
}

export interface Layout {
  width: number;
  height: number;
  rowHeight: number;
  columns: { server: number; match: number; matchWidth: number; chips: number; chipsWidth: number; upstream: number; upstreamWidth: number };
  rows: Row[];
  nodes: Node[];
}

const top = 16;
const chipGap = 6;

/** Lays the map out for a width. Many locations get lower rows. */
export function layOut(locations: RouteLocation[], wanted: number): Layout {
  const rowHeight = locations.length > 60 ? 40 : locations.length > 20 ? 48 : 60;
  const width = Math.max(wanted, 900);
  const columns = columnsOf(width);
  const rows = locations.map((location, i) => ({
    location,
    y: top + rowHeight * i + rowHeight / 2,
    chips: chipsOf(location.plugins ?? [], columns.chips, columns.chipsWidth),
  }));
  const nodes = placeNodes(rows, rowHeight);
  const last = nodes[nodes.length - 1];
  const height = Math.max(top * 2 + rowHeight * rows.length, last ? last.y + rowHeight / 2 + top : 0);
  return { width, height, rowHeight, columns, rows, nodes };
}

function columnsOf(width: number): Layout['columns'] {
  const server = 28;
  const match = 96;
  const upstreamWidth = Math.round(Math.min(260, width * 0.2));
  const upstream = width - upstreamWidth - 12;
  const free = upstream - match - 70;
  const matchWidth = Math.round(free * 0.5);
  const chips = match + matchWidth + 20;
  return { server, match, matchWidth, chips, chipsWidth: upstream - 60 - chips, upstream, upstreamWidth };
}

/** The chips that fit, and how many more there are. */
export function chipsOf(plugins: RoutePlugin[], x: number, width: number): Chip[] {
  const chips: Chip[] = [];
  const more = chipWidth('+00');
  let at = x;
  for (const [i, plugin] of plugins.entries()) {
    const own = Math.min(chipWidth(plugin.name), 160);
    const reserve = i === plugins.length - 1 ? 0 : more + chipGap;
    if (at + own + reserve > x + width) {
      chips.push({ x: at, width: more, label: `+${plugins.length - i}` });
      return chips;
    }
    chips.push({ x: at, width: own, label: fit(plugin.name, own - 16, 6.6), plugin });
    at += own + chipGap;
  }
  return chips;
}

function chipWidth(text: string): number {
  return textWidth(text, 6.6) + 16;
}

/** About how wide a text is. Chinese and other wide characters count twice. */
export function textWidth(text: string, letter: number): number {
  let n = 0;
  for (const c of text) n += c.codePointAt(0)! > 0x2e80 ? 2 : 1;
  return n * letter;
}

/** The text, or its begin and an ellipsis, where it would be too wide. */
export function fit(text: string, width: number, letter: number): string {
  if (textWidth(text, letter) <= width) return text;
  let out = '';
  for (const c of text) {
    if (textWidth(out + c, letter) > width - letter) break;
    out += c;
  }
  return out + '…';
}

/** How far apart locations may be that share one drawing of their upstream: about half a screen. */
const reach = 360;

/** Each upstream beside its locations. Where these are far apart it is drawn again, so that no line leads out of sight. None lies over another. */
function placeNodes(rows: Row[], rowHeight: number): Node[] {
  const open = new Map<string, Node>();
  const list: Node[] = [];
  for (const [i, { location, y }] of rows.entries()) {
    if (!location.upstream) continue;
    let node = open.get(location.upstream);
    if (!node || y - rows[node.locations[0]!]!.y > reach) {
      node = { name: location.upstream, y: 0, healthy: location.healthy, total: location.total, locations: [] };
      open.set(location.upstream, node);
      list.push(node);
    }
    node.locations.push(i);
  }
  for (const n of list) n.y = n.locations.reduce((sum, i) => sum + rows[i]!.y, 0) / n.locations.length;
  list.sort((a, b) => a.y - b.y);
  return spread(list, rowHeight);
}

/** Pushes what is too near apart, by joining neighbours to blocks that keep their common middle. */
function spread(nodes: Node[], step: number): Node[] {
  const blocks: { nodes: Node[]; middle: number }[] = [];
  for (const node of nodes) {
    let block = { nodes: [node], middle: node.y };
    for (let before = blocks[blocks.length - 1]; before && overlaps(before, block, step); before = blocks[blocks.length - 1]) {
      blocks.pop();
      const size = before.nodes.length + block.nodes.length;
      const middle = (before.middle * before.nodes.length + block.middle * block.nodes.length) / size;
      block = { nodes: [...before.nodes, ...block.nodes], middle };
    }
    block.middle = Math.max(block.middle, top + (block.nodes.length * step) / 2);
    blocks.push(block);
  }
  for (const { nodes: list, middle } of blocks) list.forEach((n, i) => (n.y = middle + (i - (list.length - 1) / 2) * step));
  return nodes;
}

function overlaps(a: { nodes: Node[]; middle: number }, b: { nodes: Node[]; middle: number }, step: number): boolean {
  return a.middle + (a.nodes.length * step) / 2 > b.middle - (b.nodes.length * step) / 2;
}

/** What a location takes, for people. */
export function matchText(l: RouteLocation): string {
  const host = l.host && l.host.length > 0 ? l.host.join(', ') : '*';
  const path = l.path === '' ? '/…' : l.path;
  return `${host} ${path}`;
}

/** How an upstream is: what colour it gets. */
export function healthOf(healthy: number, total: number): 'ok' | 'some' | 'none' | 'unknown' {
  if (total <= 0) return 'unknown';
  if (healthy <= 0) return 'none';
  return healthy < total ? 'some' : 'ok';
}
