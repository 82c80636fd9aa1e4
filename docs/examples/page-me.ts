/**
 * Your own handler: pushes a line to a phone when a workload was deleted or scaled to nothing. Any service that takes a
 * POST of plain text will do, such as your own ntfy. config.toml in this folder uses it.
 */
import { defineSink, manifestOf, z, type Change } from 'watchchain';

const options = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .describe('Where to post. Anybody who knows it can page you, so keep it outside the file.')
    .meta({ example: '${PAGER_URL}' }),
  priority: z.int().min(1).max(5).default(4).describe('From 1, silent, to 5, which wakes people.').meta({ example: 5 }),
});

export default defineSink({
  name: 'page-me',
  summary: 'Pushes a line to a phone when a workload was deleted or scaled to nothing.',
  description: 'Any other change passes without a message.',
  options,
  examples: [{ title: 'Wake me', toml: '[[handler]]\nname = "./page-me.ts"\nurl = "${PAGER_URL}"\npriority = 5\n' }],
  create({ url, priority }, { clusterName, receivers }) {
    // The only way to send: it has the deadline, the circuit breaker and errors that never show the URL.
    const receiver = receivers.receiver({ name: 'page-me', url: new URL(url), timeoutMs: 5_000 });
    return {
      async deliver(change, { idempotencyKey, signal }) {
        const reason = reasonToPage(change);
        if (reason === undefined) return;
        await receiver.send({
          headers: { 'content-type': 'text/plain; charset=utf-8', priority: String(priority) },
          body: `${clusterName}: ${change.gvk.kind} ${change.key} ${reason}`,
          idempotencyKey,
          signal,
        });
      },
      stop: () => receiver.close(),
    };
  },
});

function reasonToPage(change: Change): string | undefined {
  if (change.action === 'deleted')
    return `was deleted; it ran ${replicas(manifestOf(change)) ?? 'an unknown number of'} pods`;
  const [old, now] = [replicas(change.before), replicas(change.after)];
  return now === 0 && old !== undefined && old > 0 ? `was scaled from ${old} to nothing` : undefined;
}

/** A manifest is whatever a server sent: no field of it is certain. */
function replicas(manifest: Change['after']): number | undefined {
  const spec = manifest?.['spec'];
  const count = typeof spec === 'object' && spec !== null && 'replicas' in spec ? spec.replicas : undefined;
  return typeof count === 'number' ? count : undefined;
}
