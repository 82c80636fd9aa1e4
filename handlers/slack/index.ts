import { IncomingWebhook, type IncomingWebhookSendArguments } from '@slack/webhook';
import type { Change } from '../../src/change.ts';
import { defineSink, type HandlerContext, type HandlerEnvironment } from '../../src/chain/handler.ts';
import { deadlineMs, receiverOptions } from '../../src/delivery/fields.ts';
import { originalError } from '../../src/delivery/fetch-adapter.ts';
import { compileLinks } from '../../src/template/links.ts';
import { scopeOf } from '../../src/template/scope.ts';
import { isTemplate } from '../../src/template/template.ts';
import { assertAccepted } from './response.ts';
import { Bot } from './bot.ts';
import { compileContent, withFallbackNote, withoutPreviews, nonEmpty, type Content } from './content.ts';
import { digestOf, countFitting } from './digest.ts';
import { withLinks } from './links.ts';
import { options, type Options } from './options.ts';
import { type CallContext, SlackApi } from './web-api.ts';

export default defineSink({
  name: 'slack',
  summary: 'Posts each change to a Slack channel, through an incoming webhook or as a bot.',
  description: [
    "The title says what happened to which object. After `diff`, the text of an update has the headline and who did it in its first line, then a line per changed field, then the diff of what does not fit on a line; it is visibly cut at Slack's limit of 4,000 characters. Creations, deletions and updates without a diff have only a title, plus a text if there is something to add: that the change happened while nothing was watching, or that the object may only have left the selection.",
    'No text from an object can mention a channel, put a link behind other words or end the code block; in the text of a template, Slack itself makes an address such as `https://host/path` clickable, but shows no preview of it. The templates of `message` and `fields` can, in their own text: `<https://logs.example/{{ change.namespace }}|logs>`, `<!here>`, `<@U012AB3CD>`, `<!subteam^S012AB3CD>`. Slack notifies only of mentions in `message`; of several changes in one message, it notifies whoever any of them mentions.',
    '`links` adds a line of links below the message, the standard one or your own. A list of many changes has no links.',
    'As a bot, with a `token`, it can also answer in threads (`threadKey`) and rewrite a message (`update`). It remembers which message that is for 30 days after the last message, across restarts. If the message was removed meanwhile, it posts a new one.',
    'Changes that come faster than `messagesPerSecond` are sent together: up to ten in full, in one message; more as a list of every object by name. Threads and rewritten messages are sent one by one.',
    'A message counts as delivered when Slack has answered `ok`. Other servers with this kind of webhook (Mattermost, Rocket.Chat) work too.',
  ].join('\n\n'),
  options,
  examples: [
    {
      title: 'The URL from the environment',
      toml: '[[handler]]\nname = "slack"\nwebhookURL = "${SLACK_WEBHOOK_URL}"\n',
    },
    {
      title: "The URL from a mounted Secret, the cluster's name in the footer",
      toml: '[[handler]]\nname = "slack"\nwebhookURL = "${file:/etc/secret/slack}"\nclusterName = "prod-eu"\ntimeout = "5s"\n',
    },
    {
      title: 'A thread for each cluster upgrade, with a check mark when it is done',
      toml: `[[handler]]
name = "slack"
token = "\${SLACK_TOKEN}"
channel = "#upgrades"
message = "{{ event.involvedObject.name }}: {{ event.message }}"
threadKey = "{{ event.involvedObject.namespace }}/{{ event.involvedObject.name }}"
completionCondition = "{% if event.reason == 'Upgraded' %}done{% endif %}"
`,
    },
    {
      title: "To the team's channel, named by a label of the namespace",
      toml: '[[handler]]\nname = "slack"\ntoken = "${SLACK_TOKEN}"\nchannel = "#{{ involved.namespaceLabels.team | default: \'ops\' }}"\n',
    },
    {
      title: 'A mention if something is deleted, and a link to its dashboard',
      toml: `[[handler]]
name = "slack"
webhookURL = "\${SLACK_WEBHOOK_URL}"
message = "{% if change.action == 'deleted' %}<!here> {% endif %}{{ change.headline }} <https://grafana.example/d/ns?var-namespace={{ change.namespace | url_encode }}|dashboard>"
`,
    },
    {
      title: 'The standard message, with links below it',
      toml: `[[handler]]
name = "slack"
webhookURL = "\${SLACK_WEBHOOK_URL}"
[handler.links]
Dashboard = "https://grafana.example/d/ns?var-namespace={{ change.namespace | url_encode }}"
Runbook = "{% if change.notes.alert %}https://wiki.example/runbooks/{{ change.notes.alert.reason | url_encode }}{% endif %}"
`,
    },
    {
      title: 'One message per Deployment that always shows its latest change',
      toml: '[[handler]]\nname = "slack"\ntoken = "${SLACK_TOKEN}"\nchannel = "#deployments"\nupdate = "{{ change.key }}"\n',
    },
  ],
  // A thread may need an answer, a reaction and, if the parent is gone, another message.
  deadlineMs: (options) => deadlineMs(options) * (options.token === undefined ? 1 : 3),
  create(options, environment) {
    const clusterName = options.clusterName ?? environment.clusterName;
    const { contentOf: bareContentOf, mentionsOf } = compileContent(options, clusterName);
    const linksOf = compileLinks(options.links);
    const contentOf = (change: Change): Content => withLinks(bareContentOf(change), linksOf(scopeOf(change)));
    const transport =
      options.token === undefined
        ? webhookTransport(options, environment)
        : botTransport(options, options.token, environment);
    return {
      deliver: async (change, context) => post(change, contentOf(change), context),
      preview: (change) => JSON.stringify({ ...transport.destinationOf(change), ...nonEmpty(contentOf(change)) }),
      ...(needsOwnMessage(options) ? {} : { fits: (changes) => countFitting(changes, contentOf), deliverMany }),
      stop: () => transport.close(),
    };

    async function deliverMany(changes: readonly Change[], context: HandlerContext): Promise<void> {
      const [first] = changes;
      if (first !== undefined) await post(first, digestOf(changes, { contentOf, mentionsOf }, clusterName), context);
    }

    function post(change: Change, content: Content, context: HandlerContext): Promise<void> {
      return transport.send(change, withFallbackNote(nonEmpty(content), context), context);
    }
  },
});

/** With a thread, a rewritten message or a templated channel, each change has its own destination and cannot be batched. */
function needsOwnMessage({ threadKey, update, channel = '' }: Options): boolean {
  return threadKey !== undefined || update !== undefined || isTemplate(channel);
}

/** The receiver, reached by webhook or by the Web API. */
interface Transport {
  send(change: Change, content: Content, context: CallContext): Promise<void>;
  /** Where the message would go, for people; the URL of a webhook is a secret. */
  destinationOf(change: Change): object;
  close(): Promise<void>;
}

function webhookTransport(options: Options, { id, receivers }: HandlerEnvironment): Transport {
  const { webhookURL = '' } = options;
  const url = new URL(webhookURL);
  const accept = ({ body }: { readonly body: string }): void => assertAccepted(body, url.host);
  const receiver = receivers.receiver({ ...receiverOptions(options), name: id, url, accept, lineUp: false });
  return {
    async send(_change, content, { idempotencyKey, signal }) {
      // The library's own retries and timeout stay off: chain and receiver handle both.
      const client = new IncomingWebhook(webhookURL, { fetch: receiver.fetch(idempotencyKey, signal) });
      await client.send(withoutPreviews(content) as IncomingWebhookSendArguments).catch((thrown: unknown) => {
        throw originalError(thrown);
      });
    },
    destinationOf: () => ({}),
    close: () => receiver.close(),
  };
}

function botTransport(options: Options, token: string, { id, receivers, memory }: HandlerEnvironment): Transport {
  const { apiURL, channel } = options;
  const lineUp = needsOwnMessage(options);
  const api = new SlackApi(
    { apiURL, token, lane: channel },
    { ...receiverOptions(options), name: id, lineUp },
    receivers,
  );
  const bot = new Bot(options, { api, memory });
  return {
    send: (change, content, context) => bot.send(change, content, context),
    destinationOf: (change) => bot.destinationOf(change),
    close: () => api.close(),
  };
}
