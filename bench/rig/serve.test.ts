import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import type { ServeAnswer, ServeCommand } from './serve.ts';

describe('serve.ts', () => {
  test('preloads objects, pushes updates and Events at full speed or at a rate, and exits with its stdin', async () => {
    const script = new URL('./serve.ts', import.meta.url).pathname;
    const child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const nextLine = async (): Promise<unknown> => JSON.parse((await lines.next()).value ?? '');
    const send = async (command: ServeCommand): Promise<ServeAnswer> => {
      child.stdin.write(`${JSON.stringify(command)}\n`);
      return (await nextLine()) as ServeAnswer;
    };
    const versions = async (url: string): Promise<readonly (string | undefined)[]> => {
      const { items } = (await (await fetch(`${url}/api/v1/pods`)).json()) as {
        readonly items: readonly { readonly metadata: { readonly resourceVersion: string } }[];
      };
      return items.map(({ metadata }) => metadata.resourceVersion);
    };

    const { url } = (await nextLine()) as { readonly url: string };
    const loaded = await send({ command: 'preload', kind: 'pod', count: 3 });
    const first = await versions(url);
    assert.deepEqual([first.length, first.includes(loaded.resourceVersion)], [3, true]);
    const noise = await send({ command: 'push', kind: 'pod', what: 'noise', count: 6 });
    assert.equal(Number(noise.resourceVersion) - Number(loaded.resourceVersion), 6);
    const paced = await send({ command: 'push', kind: 'pod', what: 'image', count: 2, perSecond: 1_000 });
    assert.equal(paced.atMs?.length, 2);
    assert((await versions(url)).includes(paced.resourceVersion));
    await send({ command: 'push', what: 'events', count: 3 });
    await send({ command: 'push', what: 'events', count: 2 });
    const { items } = (await (await fetch(`${url}/api/v1/events`)).json()) as { readonly items: readonly unknown[] };
    assert.equal(items.length, 5);
    child.stdin.end();
    assert.deepEqual(await ended, [0, null]);
  });
});
