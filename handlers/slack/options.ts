/** The handler's options in config.toml. */
import { z } from 'zod';
import { httpUrl } from '../../src/config/fields.ts';
import { bearerToken, reach } from '../../src/delivery/fields.ts';
import { links, template, templates } from '../../src/template/fields.ts';

/** Options that need a bot's token: an incoming webhook answers `ok` without an id that a thread could refer to. */
const NEEDS_TOKEN = ['channel', 'threadKey', 'completionCondition', 'broadcastCondition', 'update'] as const;

export const options = z
  .strictObject({
    webhookURL: httpUrl('must be the https:// or http:// URL of an incoming webhook')
      .optional()
      .describe(
        'URL of the incoming webhook. Anyone who has it can post, so it is never shown and is better kept outside the file. Required unless `token` is set.',
      )
      .meta({ example: '${SLACK_WEBHOOK_URL}' }),
    token: bearerToken
      .optional()
      .describe('Bot token (`xoxb-...`) with the scope `chat:write`, and `reactions:write` for `completionCondition`.')
      .meta({ example: '${SLACK_TOKEN}' }),
    channel: template
      .optional()
      .describe('With a token: the channel by id or name, a template. The bot must be a member.')
      .meta({ example: '#{{ change.namespace }}' }),
    threadKey: template
      .optional()
      .describe(
        'With a token, a template: messages for which it yields the same text form one thread, with the first as parent. If it yields nothing, the message stands alone.',
      )
      .meta({ example: '{{ event.involvedObject.namespace }}/{{ event.involvedObject.name }}' }),
    completionCondition: template
      .optional()
      .describe(
        'A template: when it yields anything, the message is the last of its thread. The parent gets the emoji, and the next message begins a new thread.',
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
      .describe('A template: when it yields anything, an answer in a thread also appears in the channel.')
      .meta({ example: "{% if change.notes.alert.why == 'worse' %}yes{% endif %}" }),
    update: template
      .optional()
      .describe(
        'With a token, a template: the message in the same channel for which it yielded the same text is rewritten. If it yields nothing, the message stands alone. The text of `message` is visibly cut at the 4,000 bytes that Slack then accepts.',
      )
      .meta({ example: '{{ change.kind }} {{ change.key }}' }),
    clusterName: z
      .string()
      .optional()
      .describe('Footer of each message. Default: the cluster\'s name; `""` for no footer.')
      .meta({ example: 'prod-eu' }),
    message: template
      .optional()
      .describe(
        'A template for the text. If this or one of the next five is set, the message consists of them instead of the difference.',
      )
      .meta({ example: '{{ event.reason }}: {{ event.message }}' }),
    title: template.optional().describe('A template for the title.').meta({ example: '{{ change.headline }}' }),
    color: template
      .optional()
      .describe('A template for the colour of the bar: `#1ADA00`, `good`, `warning` or `danger`.')
      .meta({ example: "{% if event.type == 'Warning' %}danger{% else %}good{% endif %}" }),
    fields: templates
      .optional()
      .describe('Templates by title, shown below each other in this order.')
      .meta({ example: { Namespace: '{{ change.namespace }}' } }),
    footer: template.optional().describe('A template for the footer.').meta({ example: '{{ change.cluster }}' }),
    authorName: template.optional().describe('A template for the author.').meta({ example: 'event-exporter' }),
    links: links('Links below the message'),
    ...reach,
    messagesPerSecond: reach.messagesPerSecond
      .default(1)
      .describe(
        "Messages per second on average; Slack's own limit is 1 per channel. Faster ones wait. `0` for no limit.",
      )
      .meta({ example: 0.5 }),
    apiURL: httpUrl()
      .default('https://slack.com/api')
      .describe('With a token: URL of the Web API, for a proxy or a compatible server.')
      .meta({ example: 'https://slack-proxy.example/api' }),
  })
  .superRefine((given, context) => {
    const refuse = (option: string, message: string) => context.addIssue({ code: 'custom', message, path: [option] });
    if (given.webhookURL === undefined && given.token === undefined)
      refuse('webhookURL', 'is missing: the URL of an incoming webhook, or a token and a channel');
    if (given.webhookURL !== undefined && given.token !== undefined)
      refuse('webhookURL', 'cannot be combined with token: leave one of them out');
    if (given.token !== undefined && given.channel === undefined) refuse('channel', 'is missing: a token requires it');
    if (given.token === undefined && given.webhookURL !== undefined) {
      for (const name of NEEDS_TOKEN)
        if (given[name] !== undefined)
          refuse(name, 'requires a token: a webhook has one channel, and its answers identify no message');
    }
    if (given.completionCondition !== undefined && given.threadKey === undefined)
      refuse('completionCondition', 'requires a threadKey: it says when that thread is complete');
    if (given.broadcastCondition !== undefined && given.threadKey === undefined)
      refuse('broadcastCondition', 'requires a threadKey: it says which of its answers the channel sees');
    if (given.update !== undefined && given.threadKey !== undefined)
      refuse('update', 'cannot be combined with threadKey: a message is either rewritten or answered');
  });

export type Options = z.output<typeof options>;
