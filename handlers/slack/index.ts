import { IncomingWebhook, type IncomingWebhookSendArguments } from '@slack/webhook';
import { z } from 'zod';
import { defineSink } from '../../src/chain/handler.ts';
import { duration, durationMs } from '../../src/config/duration.ts';
import { originalError } from '../../src/delivery/fetch-adapter.ts';
import { assertTaken } from './answer.ts';
import { attachmentOf } from './message.ts';

const options = z.strictObject({
  webhookURL: z
    .url({ protocol: /^https?$/, error: 'must be the https:// or http:// URL of an incoming webhook' })
    .describe(
      'URL of the incoming webhook: whoever has it can post, so it is never shown and is better kept outside the file.',
    )
    .meta({ example: '${SLACK_WEBHOOK_URL}' }),
  clusterName: z
    .string()
    .optional()
    .describe('Footer of each message. Without it, the cluster\'s name; `""` for no footer.')
    .meta({ example: 'prod-eu' }),
  messagesPerSecond: z
    .number()
    .min(0)
    .default(1)
    .describe(
      "Messages per second on average; Slack's own limit is 1 for a channel. What comes faster waits. `0` for no limit.",
    )
    .meta({ example: 0.5 }),
  burst: z.int().min(1).default(1).describe('Messages that may go at once before the rate holds.').meta({ example: 3 }),
  timeout: duration
    .default('10s')
    .describe('Time for the whole request, connecting included. After it the attempt has failed.')
    .meta({ example: '5s' }),
});

/** The request's own deadline has the better message, so the runner's comes later. */
const DEADLINE_MARGIN_MS = 2_000;

export default defineSink({
  name: 'slack',
  summary: 'Posts each change to a Slack channel through an incoming webhook.',
  description: [
    "The title says what happened to which object. After `diff`, the text of an update has the headline and who did it in its first line, then a line per changed field, then the diff of what does not fit on a line; it is cut, visibly, at Slack's limit of 4,000 characters. Creations, deletions and updates without a diff have a title only, and a text where there is something to add: that the change happened while nothing was watching, or that the object was perhaps only no longer selected.",
    'Nothing in an object can mention a channel, make a link or end the code block.',
    'A message counts as delivered when Slack has answered `ok`. Other servers with webhooks of this kind (Mattermost, Rocket.Chat) work too.',
  ].join('\n\n'),
  options,
  examples: [
    {
      title: 'The URL from the environment',
      toml: '[[handler]]\nname = "slack"\nwebhookURL = "${SLACK_WEBHOOK_URL}"\n',
    },
    {
      title: "The URL from a mounted Secret, the cluster's name in the footer",
      toml: '[[handler]]\nname = "slack"\nwebhookURL = "${file:/etc/watchchain/slack}"\nclusterName = "prod-eu"\ntimeout = "5s"\n',
    },
  ],
  deadlineMs: ({ timeout }) => durationMs(timeout) + DEADLINE_MARGIN_MS,
  create({ webhookURL, clusterName, messagesPerSecond, burst, timeout }, environment) {
    const url = new URL(webhookURL);
    const receiver = environment.receivers.receiver({
      name: environment.id,
      url,
      timeoutMs: durationMs(timeout),
      perSecond: messagesPerSecond,
      burst,
    });
    const footer = clusterName ?? environment.clusterName;
    return {
      async deliver(change, { idempotencyKey, signal }) {
        // Its own retries and timeout stay off: the chain and the receiver see to both.
        const webhook = new IncomingWebhook(webhookURL, { fetch: receiver.fetch(idempotencyKey, signal) });
        const message = { attachments: [attachmentOf(change, footer)] } as unknown as IncomingWebhookSendArguments;
        const { text } = await webhook.send(message).catch((thrown: unknown) => {
          throw originalError(thrown);
        });
        assertTaken(text, url.host);
      },
      stop: () => receiver.close(),
    };
  },
});
