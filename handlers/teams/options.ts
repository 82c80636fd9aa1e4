/** The handler's options in config.toml. */
import { z } from 'zod';
import { httpUrl } from '../../src/config/fields.ts';
import { reach } from '../../src/delivery/fields.ts';
import { layout, links } from '../../src/template/fields.ts';

export const options = z
  .strictObject({
    webhookURL: httpUrl('must be the https:// or http:// URL of a Workflows webhook')
      .describe(
        'URL of the workflow "Post to a channel when a webhook request is received": anyone who has it can post, so it is never shown and is better kept outside the file.',
      )
      .meta({ example: '${TEAMS_WEBHOOK_URL}' }),
    clusterName: z
      .string()
      .optional()
      .describe('Shown in each message. Default: the cluster\'s name; `""` for none.')
      .meta({ example: 'prod-eu' }),
    layout: layout
      .optional()
      .describe(
        'A card of your own: a table whose strings are templates (see docs/templates.md), with `type = "AdaptiveCard"`. Without that type, the table is sent as the whole body.',
      )
      .meta({
        example: { type: 'AdaptiveCard', version: '1.4', body: [{ type: 'TextBlock', text: '{{ change.headline }}' }] },
      }),
    links: links('Buttons below the card, not together with `layout`'),
    ...reach,
    messagesPerSecond: reach.messagesPerSecond
      .default(1)
      .describe(
        'Messages per second on average; Teams accepts 60 in 30 seconds and 4 in one second. Faster ones wait. `0` for no limit.',
      )
      .meta({ example: 0.5 }),
    burst: reach.burst.default(4),
  })
  .refine(({ layout, links }) => layout === undefined || links === undefined, {
    error: 'cannot be combined with layout: write buttons as actions of the card there',
    path: ['links'],
  });
