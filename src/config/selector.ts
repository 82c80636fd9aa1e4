/** Label and field selectors in the API server's syntax: a mistake is found here, before the server answers 400. */
import { z } from 'zod';

/** The prefix is a DNS name, in lower case. */
const LABEL_PREFIX = String.raw`[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*`;
const LABEL_KEY = String.raw`(?:${LABEL_PREFIX}/)?[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?`;
const LABEL_VALUE = String.raw`(?:[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?)?`;
const LABEL_REQUIREMENT = [
  String.raw`!?\s*${LABEL_KEY}`,
  String.raw`${LABEL_KEY}\s*(?:=|==|!=)\s*${LABEL_VALUE}`,
  String.raw`${LABEL_KEY}\s*[<>]\s*\d+`,
  String.raw`${LABEL_KEY}\s+(?:in|notin)\s*\(\s*${LABEL_VALUE}(?:\s*,\s*${LABEL_VALUE})*\s*\)`,
].join('|');
const LABEL_SELECTOR = new RegExp(String.raw`^\s*(?:${LABEL_REQUIREMENT})\s*(?:,\s*(?:${LABEL_REQUIREMENT})\s*)*$`);
/** Values escape `,`, `=` and `\` with a backslash. */
const FIELD_SELECTOR = /^[\w.]+(?:==?|!=)(?:\\.|[^\\,=])*(?:,[\w.]+(?:==?|!=)(?:\\.|[^\\,=])*)*$/;

/** `tier=web,env in (prod,stage),!canary` */
export const labelSelector = z
  .string()
  .regex(LABEL_SELECTOR, 'must be a label selector such as "tier=web", "env in (prod,stage)" or "!canary"');

/** `status.phase=Running,spec.nodeName!=node-1` */
export const fieldSelector = z
  .string()
  .regex(FIELD_SELECTOR, 'must be a field selector such as "status.phase!=Running"');
