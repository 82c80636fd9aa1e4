import { defineSink } from '../../src/chain/handler.ts';
import type { Change } from '../../src/change.ts';
import { deadlineMs, receiverOptions } from '../../src/delivery/fields.ts';
import { messageId } from '../../src/delivery/signature.ts';
import { scopeOf } from '../../src/template/scope.ts';
import { boundedBody, compileBody } from './body.ts';
import { attributesOf, binaryHeaders, structured, STRUCTURED_TYPE } from './cloud-events.ts';
import { compileHeaders } from './headers.ts';
import { options, type Options } from './options.ts';

export default defineSink({
  name: 'webhook',
  summary: 'Sends each change to a URL: any method, headers and body.',
  description: [
    'Without `layout` and `body`, the body is the change as JSON: `headline`, `id`, `time`, `cluster`, `action`, `apiVersion`, `kind`, `key`, `namespace`, `name`, `uid`, `resourceVersion`, `by`, `flags`, `before`, `after`. What does not apply is absent; members are only ever added. Where both manifests would be too long, they are left out, and `omitted` names them.',
    'A message counts as delivered on any answer from 200 to 299. 408, 425 and 5xx are failed attempts; 429, and 503 with `Retry-After`, wait as long as asked; any other answer goes to the dead letters at once, a redirect too: name the final address.',
    'Each attempt carries the same `Idempotency-Key`, and with `secret` the same `webhook-id`.',
  ].join('\n\n'),
  options,
  examples: [
    {
      title: 'Every change, as JSON',
      toml: '[[handler]]\nname = "webhook"\nurl = "${WEBHOOK_URL}"\n',
    },
    {
      title: 'An Event as the receiver wants it',
      toml: '[[handler]]\nname = "webhook"\nurl = "https://hooks.example/events"\nheaders = { Authorization = "Bearer ${file:/etc/watchchain/token}" }\n\n[handler.layout]\ntext = "{{ event.reason }} on {{ event.involvedObject.kind }}/{{ event.involvedObject.name }}"\ncount = "{{ event.count }}"\n',
    },
    {
      title: 'CloudEvents for a broker',
      toml: '[[handler]]\nname = "webhook"\nurl = "https://broker.example/default"\ncloudEvents = "binary"\n',
    },
  ],
  deadlineMs,
  create(options, environment) {
    const receiver = environment.receivers.receiver({
      ...receiverOptions(options),
      name: environment.id,
      url: new URL(options.url),
      signingSecrets: [options.secret ?? []].flat(),
      secrets: secretsIn(options.headers),
    });
    const requestOf = compileRequest(options);
    return {
      async deliver(change, { idempotencyKey, signal }) {
        await receiver.send({ ...requestOf(change, idempotencyKey), idempotencyKey, signal });
      },
      preview(change, { idempotencyKey }) {
        const { method, body } = requestOf(change, idempotencyKey);
        return `${method} ${body}`;
      },
      stop: () => receiver.close(),
    };
  },
});

/** Tokens and the like, which a receiver may echo: the values of headers that are called so and are no templates. */
function secretsIn(headers: Options['headers']): readonly string[] {
  return Object.entries(headers)
    .filter(([name, value]) => /auth|token|key|secret|cookie|passw|credential/i.test(name) && !value.includes('{{'))
    .flatMap(([, value]) => [value, ...value.split(' ')]);
}

interface Request {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Compiles what a request is made of, once. */
function compileRequest(options: Options): (change: Change, idempotencyKey: string) => Request {
  const { cloudEvents, maxBodyBytes } = options;
  const method = options.method.toUpperCase();
  const headers = compileHeaders(options.headers);
  const body = compileBody(options);
  return (change, idempotencyKey) => {
    const scope = scopeOf(change);
    const own = headers.render(scope);
    const contentType = own['content-type'] ?? body.contentType;
    const text = boundedBody(body, change, scope, maxBodyBytes);
    if (cloudEvents === undefined) return { method, headers: { 'content-type': contentType, ...own }, body: text };
    const attributes = attributesOf(change, messageId(idempotencyKey));
    if (cloudEvents === 'binary') {
      return { method, headers: { 'content-type': contentType, ...binaryHeaders(attributes), ...own }, body: text };
    }
    return {
      method,
      headers: { ...own, 'content-type': STRUCTURED_TYPE },
      body: structured(attributes, text, contentType),
    };
  };
}
