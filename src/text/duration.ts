const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
] as const;

/** A time in a sentence, to the nearest second: `12m 5s`. */
export function durationInWords(ms: number): string {
  return durationText(Math.round(ms / 1000), ' ');
}

/** Whole seconds from 0 on in their two largest units: `45s`, `3m20s`, `2d4h`, with `between` between the two. */
export function durationText(seconds: number, between = ''): string {
  const first = UNITS.findIndex(([, unit]) => seconds >= unit);
  if (first === -1) return '0s';
  let left = seconds;
  const parts: string[] = [];
  for (const [name, unit] of UNITS.slice(first, first + 2)) {
    const amount = Math.floor(left / unit);
    left -= amount * unit;
    if (amount > 0) parts.push(`${amount}${name}`);
  }
  return parts.join(between);
}
