import type { SVGAttributes } from 'preact';

// Paths on a grid of 24, drawn for this panel. One <svg> with one <path> each keeps them small.
const paths = {
  gauge: 'M4 18a9 9 0 1 1 16 0M12 14l4-5M12 14h.01',
  pulse: 'M3 12h4l3-7 4 14 3-7h4',
  server: 'M4 5h16v6H4zM4 13h16v6H4zM8 8h.01M8 16h.01',
  branch: 'M5 12h5l4-6h5M10 12l4 6h5M5 12h-.01',
  layers: 'M12 3l9 5-9 5-9-5zM3 13l9 5 9-5',
  plug: 'M9 3v5M15 3v5M6 8h12v3a6 6 0 0 1-12 0zM12 17v4',
  shield: 'M12 3l8 3v6c0 5-3.5 8-8 9-4.500-1-8-4-8-9V6zM9 12l2 2 4-4',
  box: 'M4 8l8-4 8 4v8l-8 4-8-4zM4 8l8 4 8-4M12 12v8',
  sliders: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4',
  arrows: 'M7 4v13M7 17l-3-3M7 17l3-3M17 20V7M17 7l-3 3M17 7l3 3',
  clock: 'M12 3a9 9 0 1 0 .01 0M12 7v5l3 2',
  list: 'M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01',
  search: 'M11 4a7 7 0 1 0 .01 0M16 16l4 4',
  cpu: 'M7 7h10v10H7zM9 3v4M15 3v4M9 17v4M15 17v4M3 9h4M3 15h4M17 9h4M17 15h4',
  compass: 'M12 3a9 9 0 1 0 .01 0M15.500 8.500l-2 5-5 2 2-5z',
  user: 'M12 4a4 4 0 1 0 .01 0M5 20c0-4 3-6 7-6s7 2 7 6',
  book: 'M5 4h11a3 3 0 0 1 3 3v13H8a3 3 0 0 1-3-3zM5 17a3 3 0 0 1 3-3h11',
  sun: 'M12 8a4 4 0 1 0 .01 0M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.500 1.500M17.500 17.500L19 19M5 19l1.500-1.500M17.500 6.500L19 5',
  moon: 'M20 14A8 8 0 0 1 10 4a8 8 0 1 0 10 10z',
  screen: 'M3 5h18v11H3zM9 20h6M12 16v4',
  globe: 'M12 3a9 9 0 1 0 .01 0M3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18',
  menu: 'M4 7h16M4 12h16M4 17h16',
  close: 'M6 6l12 12M18 6L6 18',
  check: 'M5 12l5 5 9-10',
  plus: 'M12 5v14M5 12h14',
  warn: 'M12 4l9 16H3zM12 10v4M12 17h.01',
  info: 'M12 3a9 9 0 1 0 .01 0M12 11v5M12 8h.01',
  trash: 'M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13M10 11v5M14 11v5',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  edit: 'M4 20l1-4L16 5l3 3L8 19zM14 7l3 3',
  undo: 'M8 5L4 9l4 4M4 9h10a6 6 0 0 1 0 12h-3',
  refresh: 'M20 11a8 8 0 1 0-2 6M20 5v6h-6',
  pause: 'M8 5v14M16 5v14',
  play: 'M7 5l12 7-12 7z',
  down: 'M6 9l6 6 6-6',
  right: 'M9 6l6 6-6 6',
  left: 'M15 6l-6 6 6 6',
  up: 'M6 15l6-6 6 6',
  link: 'M10 14l4-4M8 11l-2 2a4 4 0 0 0 5.500 5.500l2-2M16 13l2-2A4 4 0 0 0 12.500 5.500l-2 2',
  eye: 'M2 12c3-5 6.500-7 10-7s7 2 10 7c-3 5-6.500 7-10 7s-7-2-10-7zM12 9a3 3 0 1 0 .01 0',
  key: 'M8 12a4 4 0 1 0 .01 0M12 16h9M18 16v3',
  exit: 'M14 4H5v16h9M10 12h11M18 9l3 3-3 3',
  map: 'M4 6h5v4H4zM15 4h5v4h-5zM15 16h5v4h-5zM9 8h3v10h3M12 6h3',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  upload: 'M12 16V4M7 9l5-5 5 5M4 20h16',
  download: 'M12 4v12M7 11l5 5 5-5M4 20h16',
  power: 'M12 3v9M6.500 7a8 8 0 1 0 11 0',
  filter: 'M3 5h18l-7 8v6l-4-2v-4z',
} as const;

export type IconName = keyof typeof paths;

/** Icon is decoration: what it means is said in words beside it, or by the label of its button. */
export function Icon({ name, ...rest }: { name: IconName } & SVGAttributes<SVGSVGElement>) {
  return (
    <svg viewBox="0 0 24 24" aria-hidden="true" class="ic" {...rest}>
      <path d={paths[name]} />
    </svg>
  );
}
