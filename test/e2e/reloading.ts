/** What the tests of a reload share: chains that log, and what they have logged. */
import { until } from '../until.ts';
import type { Running, World } from './world.ts';

export const configMap = (name: string, value: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
  data: { value },
});

/** One chain that logs what changes, with more of the file after it. */
export const logging = (kinds: readonly string[], handlers = '', more = '') =>
  `${kinds.map((kind) => `[[resource]]\nkind = "${kind}"\n`).join('')}${handlers}[[handler]]\nname = "log"\n${more}`;

/** Another chain for the same objects. */
export const MORE =
  '[[chain]]\nname = "more"\n[[chain.resource]]\nkind = "configmap"\n[[chain.handler]]\nname = "log"\n';

export const lists = ({ server }: World, plural: string): number =>
  server.requests.filter(({ path, query }) => path.endsWith(`/${plural}`) && query.get('watch') === null).length;

export const told = (running: Running): string[] =>
  running.entries().map((entry) => `${String(entry['action'])} ${String(entry['key'])}`);

export async function idle({ app }: Running, accepted: number): Promise<void> {
  await until(`${accepted} accepted`, async () => {
    const balances = await app.store.balances();
    return balances.reduce((sum, chain) => sum + chain.accepted, 0) >= accepted;
  });
  await app.idle();
}
