/**
 * Filters with the meaning of Go's text/template and of sprig 3, for templates that come from kubernetes-event-exporter's
 * configuration. Lengths are in characters where Go counts bytes; a retry renders the same time.
 */
import type { FilterDefinition } from '../filter.ts';
import { ENHANCED_EVENT } from './enhanced-event.ts';
import { JSON_TEXT } from './json.ts';
import { LOGIC } from './logic.ts';
import { PRINTF } from './printf.ts';
import { TEXT } from './text.ts';
import { TIME } from './time.ts';

/** In the order of the documentation. */
export const GO_FILTERS: readonly FilterDefinition[] = [
  ...LOGIC,
  ...TEXT,
  ...JSON_TEXT,
  ...TIME,
  ...PRINTF,
  ...ENHANCED_EVENT,
];
