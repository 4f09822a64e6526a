/** Spark is a small line of the last values; nulls are gaps. It says nothing that the number beside it does not say, so it is decoration. */
export function Spark({ values, width = 72, height = 22, tone = 'var(--chart-1)' }: { values: (number | null)[]; width?: number; height?: number; tone?: string }) {
  const known = values.filter((v): v is number => v !== null);
  if (known.length < 2) return <svg class="spark" width={width} height={height} aria-hidden="true" />;
  const top = Math.max(...known) || 1;
  const floor = Math.min(...known) * 0.6; // not from 0: a trend is looked for, not an amount
  const step = width / Math.max(1, values.length - 1);
  let pen = 'M';
  let path = '';
  values.forEach((v, i) => {
    if (v === null) {
      pen = 'M';
      return;
    }
    path += `${pen}${(i * step).toFixed(1)} ${(height - 2 - ((v - floor) / (top - floor || 1)) * (height - 4)).toFixed(1)}`;
    pen = 'L';
  });
  return (
    <svg class="spark" width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
      <path d={path} fill="none" stroke={tone} stroke-width="1.5" stroke-linejoin="round" />
    </svg>
  );
}
