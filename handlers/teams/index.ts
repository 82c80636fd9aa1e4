import { defineSink, type HandlerContext } from '../../src/chain/handler.ts';
import type { Change } from '../../src/change.ts';
import { GONE } from '../../src/delivery/classify.ts';
import { deadlineMs, receiverOptions } from '../../src/delivery/fields.ts';
import { assertNotHtmlPage } from '../../src/delivery/html-page.ts';
import type { ReceiverResponse } from '../../src/delivery/receiver.ts';
import { RetryAfterError, TerminalError } from '../../src/errors.ts';
import { strictJson } from '../../src/json.ts';
import { compileLayout } from '../../src/template/layout.ts';
import { compileLinks } from '../../src/template/links.ts';
import { scopeOf } from '../../src/template/scope.ts';
import { cardOf, MAX_MESSAGE_BYTES, messageOf, type Card } from './card.ts';
import { digestOf, countFitting } from './digest.ts';
import { options } from './options.ts';

export default defineSink({
  name: 'teams',
  summary: 'Posts each change to a Microsoft Teams channel, as an Adaptive Card.',
  description: [
    'The card has the headline, then who did it, any remarks and the cluster; after `diff`, a line per changed field and the diff of what does not fit on a line. It is visibly cut at the 28 KB that a message can hold. No text from an object can mention anybody or create a link.',
    'A message counts as delivered when the workflow has accepted it (202), or an older connector has answered 200 without an error or an HTML page in its body. Teams also limits messages per hour and per day: then the changes wait.',
    'Changes that come faster than `messagesPerSecond` are sent together, on a card that names every object and has no buttons; with a `layout` they are not.',
    'With a `layout`, Teams reads cluster texts in a `TextBlock` as Markdown, but not in the `TextRun` of a `RichTextBlock`. A message longer than 28 KB becomes a dead letter.',
  ].join('\n\n'),
  options,
  examples: [
    {
      title: 'The URL from the environment',
      toml: '[[handler]]\nname = "teams"\nwebhookURL = "${TEAMS_WEBHOOK_URL}"\n',
    },
    {
      title: 'A button that opens the dashboard of the namespace',
      toml: '[[handler]]\nname = "teams"\nwebhookURL = "${TEAMS_WEBHOOK_URL}"\nlinks = { Dashboard = "https://grafana.example/d/ns?var-namespace={{ change.namespace | url_encode }}" }\n',
    },
    {
      title: 'A card of your own for Kubernetes Events',
      toml: `[[handler]]
name = "teams"
webhookURL = "\${TEAMS_WEBHOOK_URL}"
[handler.layout]
type = "AdaptiveCard"
version = "1.4"
  [[handler.layout.body]]
  type = "RichTextBlock"
  inlines = [{ type = "TextRun", text = "{{ event.reason }}: {{ event.message }}" }]
`,
    },
  ],
  deadlineMs,
  create({ webhookURL, layout: given, links: linkSources, clusterName, ...receiverConfig }, environment) {
    const url = new URL(webhookURL);
    const receiver = environment.receivers.receiver({
      ...receiverOptions(receiverConfig),
      name: environment.id,
      url,
      accept: (response) => assertAccepted(response, url.host),
      lineUp: given !== undefined,
    });
    const cluster = clusterName ?? environment.clusterName;
    const bodyOf = given === undefined ? compileCard(cluster, compileLinks(linkSources)) : compileBody(given);
    const send = async (body: string, { idempotencyKey, signal }: HandlerContext): Promise<void> => {
      const headers = { 'content-type': 'application/json; charset=utf-8' };
      await receiver.send({ headers, body, idempotencyKey, signal });
    };
    const deliverMany = async (changes: readonly Change[], context: HandlerContext): Promise<void> =>
      send(JSON.stringify(messageOf(digestOf(changes, cluster, context.insteadOf))), context);
    return {
      deliver: async (change, context) => send(bodyOf(change, context), context),
      ...(given === undefined ? { fits: countFitting, deliverMany } : {}),
      preview: bodyOf,
      stop: () => receiver.close(),
    };
  },
});

type RenderBody = (change: Change, context: Pick<HandlerContext, 'insteadOf'>) => string;

function compileCard(clusterName: string, linksOf: ReturnType<typeof compileLinks>): RenderBody {
  return (change, { insteadOf }) => {
    const links = linksOf(scopeOf(change));
    return JSON.stringify(messageOf(cardOf(change, clusterName, { insteadOf, links })));
  };
}

function compileBody(given: unknown): RenderBody {
  const compiled = compileLayout(given);
  return (change) => {
    const rendered = compiled.value(scopeOf(change)) ?? null;
    const body = strictJson(isCard(rendered) ? messageOf(rendered) : rendered);
    const bytes = Buffer.byteLength(body);
    if (bytes <= MAX_MESSAGE_BYTES) return body;
    throw new TerminalError(
      `The layout makes a message of ${bytes} bytes, and Teams accepts ${MAX_MESSAGE_BYTES}: shorten it, for example with the filter truncate`,
    );
  };
}

function isCard(value: unknown): value is Card {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'AdaptiveCard';
}

/** Connectors answer 200 and report in the body what Teams behind them answered. */
function assertAccepted(response: ReceiverResponse, host: string): void {
  assertNotHtmlPage(response, host);
  const status = /\bHTTP error (\d{3})\b/.exec(response.body)?.[1];
  if (status === undefined) return;
  const message = `Teams (${host}) did not accept the message: it answered 200 with "HTTP error ${status}" in it`;
  if (status === '429') throw new RetryAfterError(message);
  if (!/^4(?!08|25)/.test(status)) throw new Error(message);
  throw new TerminalError(message, { isGone: GONE.has(Number(status)) });
}
