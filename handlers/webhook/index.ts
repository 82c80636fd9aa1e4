import { createHash } from 'node:crypto';
import { defineSink } from '../../src/chain/handler.ts';
import type { Change } from '../../src/change.ts';
import { durationMs } from '../../src/config/duration.ts';
import { scopeOf } from '../../src/template/scope.ts';
import { boundedBody, compileBody } from './body.ts';
import { attributesOf, binaryHeaders, structured, STRUCTURED_TYPE } from './cloud-events.ts';
import { compileHeaders } from './headers.ts';
import { options, type Options } from './options.ts';

/** The request's own deadline has the better message, so the runner's comes later. */
const DEADLINE_MARGIN_MS = 2_000;

export default defineSink({
  name: 'webhook',
  summary: 'Sends each change to a URL: any method, headers and body.',
  description: [
    'Without `layout` and `body`, the body is the change as JSON: `headline`, `id`, `time`, `cluster`, `action`, `apiVersion`, `kind`, `key`, `namespace`, `name`, `uid`, `resourceVersion`, `by`, `flags`, `before`, `after`. What does not apply is absent; members are only ever added. Where both manifests would be too long, they are left out, and `omitted` names them.',
    'A message counts as delivered on any answer from 200 to 299. 408, 425 and 5xx are failed attempts; 429, and 503 with `Retry-After`, wait as long as asked; any other answer goes to the dead letters at once, a redirect too: name the final address.',
    'Each attempt carries the same `Idempotency-Key`.',
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
  deadlineMs: ({ timeout }) => durationMs(timeout) + DEADLINE_MARGIN_MS,
  create(options, environment) {
    const { url, timeout, messagesPerSecond, burst } = options;
    const receiver = environment.receivers.receiver({
      name: environment.id,
      url: new URL(url),
      timeoutMs: durationMs(timeout),
      perSecond: messagesPerSecond,
      burst,
    });
    const requestOf = compileRequest(options);
    return {
      async deliver(change, { idempotencyKey, signal }) {
        await receiver.send({ ...requestOf(change, idempotencyKey), idempotencyKey, signal });
      },
      stop: () => receiver.close(),
    };
  },
});

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
    const attributes = attributesOf(change, createHash('sha256').update(idempotencyKey).digest('hex'));
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
