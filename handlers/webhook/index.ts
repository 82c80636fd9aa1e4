import { defineSink, type HandlerContext, type HandlerEnvironment } from '../../src/chain/handler.ts';
import { compilePatterns } from '../../src/config/fields.ts';
import { excerptOf } from '../../src/delivery/classify.ts';
import { deadlineMs, receiverOptions } from '../../src/delivery/fields.ts';
import type { Receiver, ReceiverOptions, ReceiverResponse } from '../../src/delivery/receiver.ts';
import { scrubberOf, secretsIn } from '../../src/delivery/scrub.ts';
import { urlWith } from '../../src/delivery/url-below.ts';
import { parseAnswer, verdictOf, type Answer } from '../../src/plugin/contract.ts';
import { isTemplate } from '../../src/template/template.ts';
import { options, type Options } from './options.ts';
import { compileBatch, compileVerdictRequest, compileRequest, type WebhookRequest } from './request.ts';

export default defineSink({
  name: 'webhook',
  summary: 'Sends each change to a URL: any method, headers and body.',
  description: [
    'Without `layout` and `body`, the body is the change as JSON: `headline`, `id`, `time`, `cluster`, `action`, `apiVersion`, `kind`, `key`, `namespace`, `name`, `uid`, `resourceVersion`, `by`, `flags`, `before`, `after`. What does not apply is absent; future versions only add members. If the manifests make the body too long, both are left out, and `omitted` names them.',
    'A message counts as delivered on any answer from 200 to 299, even if its body breaks off or does not end; with `accepted`, only if its body says so. 408, 425 and 5xx are failed attempts; 429, and 503 with `Retry-After`, wait as long as asked. Any other answer makes the change a dead letter at once, a redirect too: configure the final address.',
    'Each attempt carries the same `Idempotency-Key`, and with `secret` the same `webhook-id`; with `[tracing]`, a `traceparent` too.',
    'With `verdict` the body is the request of the [plug-in contract](../plugins.md), and a receiver may answer `{"verdict": "halt", "reason": "..."}` with a 200. An answer that does not follow the contract makes the change a dead letter. A receiver that answers with notes is asked again when a later handler fails.',
  ].join('\n\n'),
  options,
  examples: [
    {
      title: 'Every change, as JSON',
      toml: '[[handler]]\nname = "webhook"\nurl = "${WEBHOOK_URL}"\n',
    },
    {
      title: 'An Event in the form that the receiver expects',
      toml: '[[handler]]\nname = "webhook"\nurl = "https://hooks.example/events"\nheaders = { Authorization = "Bearer ${file:/etc/secret/token}" }\n\n[handler.layout]\ntext = "{{ event.reason }} on {{ event.involvedObject.kind }}/{{ event.involvedObject.name }}"\ncount = "{{ event.count }}"\n',
    },
    {
      title: 'To close an alert that the path names',
      toml: '[[handler]]\nname = "webhook"\nurl = "https://alerts.example/v2/alerts"\npath = ["{{ change.notes.alert.fingerprint }}", "close"]\nquery = { identifierType = "alias" }\n',
    },
    {
      title: 'Several changes in one request when they come fast, at most 2 requests per second',
      toml: '[[handler]]\nname = "webhook"\nurl = "https://hooks.example/changes"\nbatch = true\nmessagesPerSecond = 2\n',
    },
    {
      title: 'A receiver that decides whether anybody is notified',
      toml: '[[handler]]\nname = "webhook"\nurl = "https://policy.example/changes"\nverdict = true\n',
    },
    {
      title: 'A receiver that refuses with status 200',
      toml: `[[handler]]\nname = "webhook"\nurl = "https://robot.example/send"\naccepted = '"errcode":\\s*0\\b'\n`,
    },
    {
      title: 'CloudEvents for a broker',
      toml: '[[handler]]\nname = "webhook"\nurl = "https://broker.example/default"\ncloudEvents = "binary"\n',
    },
  ],
  deadlineMs,
  create(options, environment) {
    const receiver = openReceiver(options, environment);
    const ask = (request: WebhookRequest, context: HandlerContext): Promise<ReceiverResponse> => {
      const { idempotencyKey, signal, traceparent } = context;
      const headers = traceparent === undefined ? request.headers : { traceparent, ...request.headers };
      return receiver.send({ ...request, headers, idempotencyKey, signal });
    };
    const send = async (request: WebhookRequest, context: HandlerContext): Promise<void> => {
      await ask(request, context);
    };
    const life = { stop: () => receiver.close() };
    if (options.verdict) {
      const verdictRequestOf = compileVerdictRequest(options);
      const parseResponse = responseParser(options);
      return {
        ...life,
        async deliver(change, context) {
          const request = verdictRequestOf(change, context);
          const { body } = await ask(request, context);
          return verdictOf(parseResponse(body, request), change, context);
        },
        preview: (change, context) => previewOf(verdictRequestOf(change, context)),
      };
    }
    if (options.batch) {
      const batch = compileBatch(options, environment.id);
      return {
        ...life,
        deliver: async (change, context) => send(batch.of([change]), context),
        async deliverMany([first, ...others], context) {
          if (first !== undefined) await send(batch.of([first, ...others]), context);
        },
        fits: (changes) => batch.fits(changes),
        preview: (change) => previewOf(batch.of([change])),
      };
    }
    const requestOf = compileRequest(options);
    return {
      ...life,
      deliver: async (change, context) => send(requestOf(change, context.idempotencyKey), context),
      preview: (change, { idempotencyKey }) => previewOf(requestOf(change, idempotencyKey)),
    };
  },
});

function openReceiver(options: Options, { id, receivers }: HandlerEnvironment): Receiver {
  const url = new URL(options.url);
  return receivers.receiver({
    ...receiverOptions(options),
    name: id,
    url,
    signingSecrets: signingSecretsOf(options),
    secrets: constantSecretsOf(options),
    namesPlaces: [...options.path, ...Object.values(options.query)].some(isTemplate),
    ...(options.accepted === undefined
      ? { needsBody: options.verdict }
      : { accept: checkAccepted(options.accepted, `${id} (${url.host})`) }),
  });
}

/** What the headers have of credentials, except those that depend on the change. */
function constantSecretsOf({ headers }: Options): readonly string[] {
  return secretsIn(Object.fromEntries(Object.entries(headers).filter(([, value]) => !isTemplate(value))));
}

function signingSecretsOf({ secret }: Options): readonly string[] {
  return [secret ?? []].flat();
}

/** Checks the body of a 2xx answer. A refusal may be temporary, such as one for the rate, so it is only a failed attempt. */
function checkAccepted(
  expected: NonNullable<Options['accepted']>,
  title: string,
): NonNullable<ReceiverOptions['accept']> {
  const isAccepted = compilePatterns(expected);
  return ({ status, body }, scrub) => {
    if (isAccepted(body)) return;
    const pattern = [expected].flat().join(' or ');
    const got = excerptOf(scrub(body)) || 'nothing';
    throw new Error(`${title} answered ${status}, and did not accept the message: wanted ${pattern}, got ${got}`);
  };
}

/** Without the URL itself, which is a secret. */
function previewOf({ method, appended, body }: WebhookRequest): string {
  const { pathname, search } = urlWith(new URL('https://receiver'), appended);
  return [method, ...(appended === undefined ? [] : [`…${pathname}${search}`]), body].join(' ');
}

/** An answer that becomes an error may echo the request. It is scrubbed before it is cut: a secret cut in two is not found. */
function responseParser(options: Options): (body: string, request: WebhookRequest) => Answer {
  const url = new URL(options.url);
  const read = (body: string, scrub: (text: string) => string): Answer => {
    try {
      return parseAnswer(body);
    } catch {
      return parseAnswer(scrub(body));
    }
  };
  return (body, { appended, headers }) => {
    const secretsOf = (): readonly string[] => [...secretsIn(headers), ...signingSecretsOf(options)];
    const scrub = (text: string): string => scrubberOf(urlWith(url, appended), secretsOf())(text);
    const { error, ...answer } = read(body, scrub);
    return error === undefined ? answer : { ...answer, error: scrub(error) };
  };
}
