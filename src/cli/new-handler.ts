/** The files that `watchchain new handler` writes. */

export interface NewFile {
  readonly name: string;
  readonly text: string;
  readonly isProgram?: true;
}

export interface NewHandler {
  /** The handler comes first. */
  readonly files: readonly NewFile[];
  /** The command that runs its test. */
  readonly test: string;
  /** The `[[handler]]` table. */
  readonly use: string;
}

/**
 * @param hook the module that makes `watchchain` resolve to the running copy
 * @param extension `ts`, or `mts` if a package.json makes `.ts` CommonJS
 */
export function typescriptFiles(name: string, hook: string, extension: 'ts' | 'mts'): NewHandler {
  const [file, testFile] = [`${name}.${extension}`, `${name}.test.${extension}`];
  return {
    files: [
      { name: file, text: handlerText(name, file) },
      { name: testFile, text: handlerTestText(name, file) },
    ],
    test: `node --import '${hook}' --test ${testFile}`,
    use: `  [[handler]]\n  name = "./${file}"\n  label = "alerts"\n`,
  };
}

export function pythonFiles(name: string): NewHandler {
  const module = name.replaceAll('-', '_');
  return {
    files: [
      { name: `${module}.py`, text: PROGRAM, isProgram: true },
      { name: `test_${module}.py`, text: programTestText(module) },
    ],
    test: `python3 -m unittest test_${module}`,
    use: `  [[handler]]                      # start with --enable-exec\n  name = "exec"\n  mode = "lines"\n  command = ["./${module}.py"]\n`,
  };
}

function handlerText(name: string, file: string): string {
  return `import { defineTransform, halt, manifestOf, z } from 'watchchain';

export default defineTransform({
  name: '${name}',
  summary: 'Halts the changes of objects that carry a label with the value "off".',
  description: 'Any other change is passed on.',
  options: z.strictObject({
    label: z.string().min(1).default('alerts').describe('The label.').meta({ example: 'alerts' }),
  }),
  examples: [{ title: 'As it is', toml: '[[handler]]\\nname = "./${file}"\\nlabel = "alerts"\\n' }],
  // The second parameter holds what it may use: clock, log, receivers. start() and stop() are optional, next to handle().
  create: ({ label }) => ({
    handle(change) {
      const value = manifestOf(change)?.metadata.labels?.[label];
      return value === 'off' ? halt(\`label \${label} is off\`) : change;
    },
  }),
});
`;
}

function handlerTestText(name: string, file: string): string {
  return `import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changeOf, rehearse } from 'watchchain/testing';
import handler from './${file}';

const labelled = (labels: Record<string, string>) =>
  changeOf({ after: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'web', namespace: 'shop', labels } } });

test('${name} halts what is labelled off, and nothing else', async () => {
  const { changes } = await rehearse(handler, {
    options: { label: 'alerts' },
    // Or the text of a recording: kubectl get configmaps -w -o json --output-watch-events
    changes: [labelled({}), labelled({ alerts: 'off' })],
  });
  assert.deepEqual(
    changes.map(({ verdict, reason }) => [verdict, reason]),
    [
      ['pass', undefined],
      ['halt', 'label alerts is off'],
    ],
  );
});
`;
}

/** The contract is docs/plugin-contract.schema.json. */
const PROGRAM = `#!/usr/bin/env python3
"""A handler for watchchain: halts the changes of objects labelled alerts: "off"."""
import json
import sys


def answer(request):
    change = request["change"]
    manifest = change.get("after") or change.get("before") or {}
    if manifest.get("metadata", {}).get("labels", {}).get("alerts") == "off":
        return {"verdict": "halt", "reason": "alerts are off for " + change["key"]}
    return {"verdict": "pass"}


if __name__ == "__main__":
    # One line of JSON for each change, one line for each answer, which repeats its id.
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps({"id": request["id"], **answer(request)}), flush=True)
`;

function programTestText(module: string): string {
  return `import unittest

from ${module} import answer


def request(labels):
    metadata = {"name": "web", "namespace": "shop", "labels": labels}
    return {"id": 1, "change": {"key": "shop/web", "after": {"kind": "ConfigMap", "metadata": metadata}}}


class Answers(unittest.TestCase):
    def test_halts_what_is_labelled_off(self):
        self.assertEqual(answer(request({"alerts": "off"}))["verdict"], "halt")

    def test_passes_anything_else(self):
        self.assertEqual(answer(request({})), {"verdict": "pass"})


if __name__ == "__main__":
    unittest.main()
`;
}
