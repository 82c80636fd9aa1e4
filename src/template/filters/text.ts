/** A value as text: lists and objects as JSON, null and undefined as the empty text. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === undefined || value === null) return '';
  return typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? '');
}
