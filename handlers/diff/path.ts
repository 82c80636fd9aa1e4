/** Field paths as they are shown, and as src/field-path.ts reads them. */
import { printable } from '../../src/text/printable.ts';

/** One step into a manifest: a map's key, or a list's item by its label (its merge key, or its index). */
export type Step = string | ListItem;

export interface ListItem {
  readonly item: string;
}

/** A path as text: items in brackets, keys that are not plain words in brackets and quotes. */
export function formatPath(steps: readonly Step[]): string {
  let path = '';
  for (const step of steps) {
    if (typeof step !== 'string') path += /^[\w./:@+-]+$/.test(step.item) ? `[${step.item}]` : `[${quoted(step.item)}]`;
    else if (!/^[\w$-]+$/.test(step)) path += `[${quoted(step)}]`;
    else path += path === '' ? step : `.${step}`;
  }
  return path;
}

function quoted(text: string): string {
  return printable(JSON.stringify(text));
}
