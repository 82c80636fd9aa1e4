/** Changes through long-lived programs that only answer. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import exec from '../../handlers/exec/index.ts';
import python from '../../handlers/python/index.ts';
import type { Change } from '../../src/change.ts';
import { withParts } from '../../src/change/lazy-change.ts';
import type { HandlerDefinition } from '../../src/chain/handler.ts';
import { changeOf } from '../../src/testing/change.ts';
import { testContext, testEnvironment } from '../../src/testing/handler.ts';
import { median, type Scenario } from '../rig/figure.ts';

const CHANGES = 20_000;
const ROUNDS = 3;
/** The default concurrency of a chain. */
const AT_ONCE = 8;

/** A plug-in that reads and answers. */
const ANSWERING = `import json, sys
for line in sys.stdin:
    print(json.dumps({"id": json.loads(line)["id"]}), flush=True)
`;
const HANDLING = 'def handle_event(watcher, event, config):\n    return event["object"]["metadata"]["name"], "DEBUG"\n';

export const plugins: Scenario = {
  name: 'plugins',
  how: `${CHANGES} changes of a 2 KB ConfigMap through a Python program that only answers, ${AT_ONCE} at once as in a chain, without the chain:
the request is written, read, answered and checked. Both share the cores of this machine. Median of ${ROUNDS} rounds.`,
  async run({ folder, quick }) {
    const place = await folder();
    await writeFile(join(place, 'answering.py'), ANSWERING);
    await writeFile(join(place, 'plugin_answering.py'), HANDLING);
    const count = quick ? CHANGES / 10 : CHANGES;
    const lines = { mode: 'lines', command: ['python3', './answering.py'], cwd: place };
    const plugin = { plugin: 'answering', path: [place], cwd: place };
    return [
      {
        what: 'exec, mode "lines", a program of four lines',
        measured: await rateOf(exec, lines, count),
        unit: '/s',
        limit: { atLeast: 5_000 },
      },
      {
        what: "python, a plug-in of the Event Controller's",
        measured: await rateOf(python, plugin, count),
        unit: '/s',
        limit: { atLeast: 5_000 },
      },
    ];
  },
};

async function rateOf(definition: HandlerDefinition, options: object, count: number): Promise<number> {
  if (definition.type !== 'transform') throw new Error(`${definition.name} is no transform`);
  const handler = definition.create(definition.options.parse(options), testEnvironment());
  const context = testContext();
  const rates: number[] = [];
  try {
    await handler.start?.();
    await handler.handle(changeNumber(0), context);
    for (let round = 0; round < ROUNDS; round++) {
      const changes = Array.from({ length: count }, (_, n) => changeNumber(n + 1));
      const beganMs = performance.now();
      const rest = changes.values();
      const work = async (): Promise<void> => {
        for (const change of rest) await handler.handle(change, context);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      rates.push(count / ((performance.now() - beganMs) / 1_000));
    }
  } finally {
    await handler.stop?.();
  }
  return median(rates);
}

function changeNumber(id: number): Change {
  const metadata = { name: `settings-${id}`, namespace: 'shop', uid: `uid-${id}`, resourceVersion: String(id + 1) };
  const after = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { text: 'x'.repeat(2_000) } };
  return withParts(changeOf({ after }), { id });
}
