/** Which alerts are muted, and until when. */
import type { z } from 'zod';
import { splitKey, type Manifest } from '../../src/change.ts';
import { compilePatterns } from '../../src/config/fields.ts';
import type { options } from './options.ts';
import type { Owner } from './owner.ts';
import type { Problem } from './problem.ts';
import { text } from './read.ts';

/** On a pod or the workload that owns it: `true`, or an end in RFC 3339. */
const MUTE_ANNOTATION = 'watchchain/mute';

export interface Muted {
  readonly reason: string;
  /** Milliseconds since the epoch; undefined: for as long as the mute exists. */
  readonly until: number | undefined;
}

/** The mute of the first manifest that has one. A value that is neither `true` nor a time mutes nothing. */
export function mutedBy(manifests: readonly (Manifest | undefined)[], now: number): Muted | undefined {
  for (const manifest of manifests) {
    const value = text(manifest?.metadata.annotations, MUTE_ANNOTATION);
    if (value === 'true') return { reason: `muted by annotation ${MUTE_ANNOTATION}`, until: undefined };
    const until = Date.parse(value ?? '');
    if (until > now) return { reason: `muted by annotation ${MUTE_ANNOTATION} until ${value}`, until };
  }
  return undefined;
}

export type MuteRule = z.output<typeof options>['mute'][number];

export interface MuteSubject {
  readonly owner: Owner;
  /** `namespace/name`. */
  readonly pod: string;
  readonly problem: Problem;
}

/** Whether the configuration mutes a subject: all patterns of at least one rule must match. */
export function compileMute(rules: readonly MuteRule[]): (subject: MuteSubject, now: number) => Muted | undefined {
  const compiled = rules.map((rule) => ({ until: rule.until, matches: compileRule(rule) }));
  return (subject, now) => {
    for (const { until, matches } of compiled) {
      const end = until === undefined ? undefined : Date.parse(until);
      if ((end === undefined || end > now) && matches(subject)) {
        return {
          reason: until === undefined ? 'muted by the configuration' : `muted by the configuration until ${until}`,
          until: end,
        };
      }
    }
    return undefined;
  };
}

function compileRule(rule: MuteRule): (subject: MuteSubject) => boolean {
  const tests = (Object.keys(VALUES) as (keyof typeof VALUES)[]).flatMap((name) => {
    const sources = rule[name];
    return sources === undefined ? [] : [{ matches: compilePatterns(sources), valueOf: VALUES[name] }];
  });
  return (subject) => tests.every(({ matches, valueOf }) => matches(valueOf(subject)));
}

const VALUES: Readonly<Record<Exclude<keyof MuteRule, 'until'>, (subject: MuteSubject) => string>> = {
  namespace: ({ owner }) => owner.namespace ?? '',
  ownerKind: ({ owner }) => owner.kind,
  owner: ({ owner }) => owner.name,
  pod: ({ pod }) => splitKey(pod).name,
  container: ({ problem }) => problem.container,
  reason: ({ problem }) => problem.reason,
  image: ({ problem }) => problem.image ?? '',
};
