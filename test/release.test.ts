/** Preconditions of a release: one version everywhere, and workflows that use only pinned actions. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';

const REPOSITORY = path.resolve(import.meta.dirname, '..');
const WORKFLOWS = '.github/workflows';
const read = (file: string): Promise<string> => readFile(path.join(REPOSITORY, file), 'utf8');

interface Workflow {
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, { readonly 'timeout-minutes'?: number; readonly steps: readonly Step[] }>>;
}

interface Step {
  readonly run?: string;
}

test('the package, the chart, the image and the changelog have the same version', async () => {
  const { version } = JSON.parse(await read('package.json')) as { readonly version: string };
  const chart = parse(await read('chart/Chart.yaml')) as { readonly version: string; readonly appVersion: string };
  const image = /^ARG VERSION=(.+)$/m.exec(await read('Dockerfile'))?.[1];
  const changelog = /^## ([^,\n]+)/m.exec(await read('CHANGELOG.md'))?.[1];
  assert.deepEqual([chart.version, chart.appVersion, image, changelog], [version, version, version, version]);
});

test('the default image of the chart is where the release workflow replaces it', async () => {
  assert.match(await read('chart/values.yaml'), /^ {2}repository: watchchain$/m);
});

describe('workflows', async () => {
  for (const file of await readdir(path.join(REPOSITORY, WORKFLOWS))) {
    test(`${file}: actions are pinned by commit, rights are read-only, jobs have a timeout, scripts no expressions`, async () => {
      const text = await read(`${WORKFLOWS}/${file}`);
      for (const [, action = ''] of text.matchAll(/uses: (.+)/g))
        assert.match(action, /^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d/);
      const { permissions, jobs } = parse(text) as Workflow;
      assert.deepEqual(
        Object.values(permissions).filter((right) => right !== 'read'),
        [],
      );
      for (const [name, job] of Object.entries(jobs)) {
        assert.ok(job['timeout-minutes'], `${name} has no timeout-minutes`);
        // Scripts must get values of an event as variables: in the text they would be code.
        for (const { run = '' } of job.steps) assert.doesNotMatch(run, /\$\{\{/);
      }
    });
  }
});
