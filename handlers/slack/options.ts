/** The handler's options in config.toml. */
import { z } from 'zod';
import { bearerToken, reach } from '../../src/delivery/fields.ts';
import { template, templates } from '../../src/template/fields.ts';

/** Options that need a bot's token: an incoming webhook answers `ok` without an id that a thread could refer to. */
const NEEDS_TOKEN = ['channel', 'threadKey', 'completionCondition', 'broadcastCondition', 'update'] as const;

export const options = z
  .strictObject({
    webhookURL: z
      .url({ protocol: /^https?$/, error: 'must be the https:// or http:// URL of an incoming webhook' })
      .optional()
      .describe(
        'URL of the incoming webhook: whoever has it can post, so it is never shown and is better kept outside the file. This or `token`.',
      )
      .meta({ example: '${SLACK_WEBHOOK_URL}' }),
    token: bearerToken
      .optional()
      .describe(
        'Token of a bot (`xoxb-...`) with the scope `chat:write`, and `reactions:write` for `completionCondition`.',
      )
      .meta({ example: '${SLACK_TOKEN}' }),
    channel: template
      .optional()
      .describe('With a token: the channel by id or name, a template. The bot must be in it.')
      .meta({ example: '#{{ change.namespace }}' }),
    threadKey: template
      .optional()
      .describe(
        'With a token, a template: messages with the same text here are one thread, the first of them its parent. Nothing: a message of its own.',
      )
      .meta({ example: '{{ event.involvedObject.namespace }}/{{ event.involvedObject.name }}' }),
    completionCondition: template
      .optional()
      .describe(
        'A template: when it yields anything, the message is the last of its thread; the parent gets the emoji, and what comes next begins another thread.',
      )
      .meta({ example: "{% if event.reason == 'Upgraded' %}done{% endif %}" }),
    completionEmoji: z
      .string()
      .regex(/^[^:\s]+$/, 'must be the name of an emoji without colons, such as "white_check_mark"')
      .default('white_check_mark')
      .describe('Name of that emoji, without colons.')
      .meta({ example: 'tada' }),
    broadcastCondition: template
      .optional()
      .describe('A template: when it yields anything, an answer in a thread is shown in the channel, too.')
      .meta({ example: "{% if change.notes.alert.why == 'worse' %}yes{% endif %}" }),
    update: template
      .optional()
      .describe(
        'With a token, a template: the message with the same text here, in the same channel, is rewritten instead of followed by another. Nothing: a message of its own.',
      )
      .meta({ example: '{{ change.kind }} {{ change.key }}' }),
    clusterName: z
      .string()
      .optional()
      .describe('Footer of each message. Without it, the cluster\'s name; `""` for no footer.')
      .meta({ example: 'prod-eu' }),
    message: template
      .optional()
      .describe(
        'A template for the text. With one of this and the next five, the message is made of them and not of the difference.',
      )
      .meta({ example: '{{ event.reason }}: {{ event.message }}' }),
    title: template.optional().describe('A template for the title.').meta({ example: '{{ change.headline }}' }),
    color: template
      .optional()
      .describe('A template for the colour of the bar: `#1ADA00`, `good`, `warning` or `danger`.')
      .meta({ example: "{% if event.type == 'Warning' %}danger{% else %}good{% endif %}" }),
    fields: templates
      .optional()
      .describe('Templates by their title, shown below each other in this order.')
      .meta({ example: { Namespace: '{{ change.namespace }}' } }),
    footer: template.optional().describe('A template for the footer.').meta({ example: '{{ change.cluster }}' }),
    authorName: template.optional().describe('A template for the author.').meta({ example: 'event-exporter' }),
    ...reach,
    messagesPerSecond: reach.messagesPerSecond
      .default(1)
      .describe(
        "Messages per second on average; Slack's own limit is 1 for a channel. What comes faster waits. `0` for no limit.",
      )
      .meta({ example: 0.5 }),
    apiURL: z
      .url({ protocol: /^https?$/, error: 'must be an https:// or http:// URL' })
      .default('https://slack.com/api')
      .describe('With a token: where the Web API is, for a proxy or a server of the same kind.')
      .meta({ example: 'https://slack-proxy.example/api' }),
  })
  .superRefine((given, context) => {
    const refuse = (option: string, message: string) => context.addIssue({ code: 'custom', message, path: [option] });
    if (given.webhookURL === undefined && given.token === undefined)
      refuse('webhookURL', 'is missing: the URL of an incoming webhook, or a token and a channel');
    if (given.webhookURL !== undefined && given.token !== undefined)
      refuse('webhookURL', 'cannot stand beside token: leave one of them out');
    if (given.token !== undefined && given.channel === undefined) refuse('channel', 'is missing: a token needs it');
    if (given.token === undefined && given.webhookURL !== undefined) {
      for (const name of NEEDS_TOKEN)
        if (given[name] !== undefined)
          refuse(name, 'needs a token: a webhook has one channel, and its answers name no message');
    }
    if (given.completionCondition !== undefined && given.threadKey === undefined)
      refuse('completionCondition', 'needs a threadKey: it says when that thread is complete');
    if (given.broadcastCondition !== undefined && given.threadKey === undefined)
      refuse('broadcastCondition', 'needs a threadKey: it says which of its answers the channel sees');
    if (given.update !== undefined && given.threadKey !== undefined)
      refuse('update', 'cannot stand beside threadKey: a message is rewritten or answered');
  });

export type Options = z.output<typeof options>;
