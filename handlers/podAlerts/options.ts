/** The options of `podAlerts`, all of them optional. */
import { z } from 'zod';
import { duration, durationFrom, durationMs } from '../../src/config/duration.ts';
import { patterns } from '../../src/config/fields.ts';
import type { ClassifyOptions } from './classify.ts';
import type { Rules } from './decide.ts';

const text = (description: string, example: string) => patterns.optional().describe(description).meta({ example });

const muteRule = z
  .strictObject({
    namespace: text('The namespace.', '^sandbox-'),
    ownerKind: text('The kind of the workload.', '^Job$'),
    owner: text('The name of the workload.', '^batch-'),
    pod: text('The name of the pod.', '^debug-'),
    container: text('The name of the container; empty for a problem of the pod itself.', '^istio-proxy$'),
    reason: text('The reason.', '^ImagePullBackOff$'),
    image: text('The image of the container.', '^registry\\.example/experiments/'),
    until: z.iso
      .datetime({ offset: true, error: 'must be a time such as "2026-12-01T08:00:00Z"' })
      .optional()
      .describe('The time until which to mute, RFC 3339. Default: always.')
      .meta({ example: '2026-12-01T08:00:00Z' }),
  })
  .refine((rule) => Object.keys(rule).some((key) => key !== 'until'), 'must say what to mute, such as `namespace`');

export const options = z.strictObject({
  restarts: z
    .int()
    .min(1)
    .default(5)
    .describe(
      'This many restarts of one container of one pod within `window` are a warning; a count that jumps by three counts as three.',
    )
    .meta({ example: 3 }),
  window: durationFrom('1s').default('1h').describe('How long a restart counts.').meta({ example: '4h' }),
  pendingFor: duration
    .default('5m')
    .describe(
      'A pod that is pending for longer is a failure. The time counts from when the pod was scheduled. A new node has this long to become ready.',
    )
    .meta({ example: '15m' }),
  unschedulableFor: duration
    .default('5m')
    .describe(
      'A pod that fits no node for longer is a failure. An autoscaler needs one to five minutes to add a node; without one, `"1m"` is enough.',
    )
    .meta({ example: '1m' }),
  notReadyFor: duration
    .default('15m')
    .describe(
      'A pod that runs for longer without being ready is a warning. If it has a startup probe, the time that this probe allows is added. `"0s"`: never.',
    )
    .meta({ example: '10m' }),
  holdDown: duration
    .default('30s')
    .describe(
      'The workload must be free of failures for this long to be reported as resolved; doubled, up to 64 times, each time it fails again within an hour.',
    )
    .meta({ example: '2m' }),
  remindAfter: duration
    .default('4h')
    .describe('What still fails is reported again after this long; `"0s"`: never.')
    .meta({ example: '1h' }),
  logLines: z
    .int()
    .min(0)
    .max(200)
    .default(20)
    .describe(
      "How many lines of the failed container's log an alert carries, if the log may be read. 0: none, and it is not requested.",
    )
    .meta({ example: 50 }),
  events: z
    .int()
    .min(0)
    .max(20)
    .default(5)
    .describe('How many of the last Events of the pod an alert carries, if they may be listed.')
    .meta({ example: 0 }),
  lastChanges: z
    .int()
    .min(0)
    .max(20)
    .default(3)
    .describe(
      'How many changes of the workload, and of the ConfigMaps and Secrets that its pods use, an alert carries: those of the last 24 hours, as far as a chain watches these objects.',
    )
    .meta({ example: 5 }),
  mute: z
    .array(muteRule)
    .default([])
    .describe('What to mute: tables whose patterns (RE2) must all match, each until a time if it names one.')
    .meta({ example: [{ namespace: '^sandbox-' }, { owner: '^importer$', until: '2026-12-01T08:00:00Z' }] }),
});

export type Options = z.output<typeof options>;

export function rulesOf({ restarts, window, holdDown, remindAfter }: Options): Rules {
  return {
    restarts: { threshold: restarts, windowMs: durationMs(window) },
    holdDownMs: durationMs(holdDown),
    remindMs: durationMs(remindAfter),
  };
}

export function classifyOptionsOf({ pendingFor, unschedulableFor, notReadyFor }: Options): ClassifyOptions {
  return {
    pendingMs: durationMs(pendingFor),
    unschedulableMs: durationMs(unschedulableFor),
    notReadyMs: durationMs(notReadyFor),
  };
}
