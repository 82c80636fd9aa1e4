/** The examples of docs/plugins.md work; the programs that it names are tested in examples/plugins.test.ts. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { Workdir } from '../test/e2e/program.ts';
import { loadHandler } from '../src/chain/load.ts';
import { NAMES } from '../src/config/adapters/event-controller/settings.ts';
import { loadConfig } from '../src/config/load.ts';
import { parseAnswer } from '../src/plugin/contract.ts';

const page = await readFile(join(import.meta.dirname, 'plugins.md'), 'utf8');
const blocks = (language: string): readonly string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map(([, text = '']) => text);

describe('docs/plugins.md', () => {
  for (const toml of blocks('toml')) {
    test(`its configuration is valid: ${/name = .*/.exec(toml)?.[0]} ${/command = .*/.exec(toml)?.[0] ?? ''}`, async () => {
      await using workdir = await Workdir.make();
      const file = await workdir.write('config.toml', `[[resource]]\nkind = "pod"\n${toml}`);
      const { chains } = await loadConfig(file, { env: {}, loadHandler });
      assert.equal(chains[0]?.handlers.length, 1);
    });
  }

  test('its example test of a handler passes', async () => {
    const [code = ''] = blocks('ts');
    await using workdir = await Workdir.make();
    const file = await workdir.write('own.test.ts', code);
    const { NODE_TEST_CONTEXT: _context, ...env } = process.env;
    const hook = join(import.meta.dirname, '../src/chain/running-copy.ts');
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', hook, '--test', file], { env });
    assert.match(stdout, /pass 1/);
  });

  test('the answers that it lists match the contract', () => {
    const answers = [...page.matchAll(/`(\{"(?:verdict|error)".*?\})`/g)].map(([, answer = '']) => parseAnswer(answer));
    assert.deepEqual(
      answers.map(({ verdict, error }) => error ?? verdict),
      ['pass', 'halt', 'pass', 'the database is away'],
    );
  });

  test('every setting of the Event Controller is listed', () => {
    assert.deepEqual(
      NAMES.filter((name) => !page.includes(`\`${name}\``)),
      [],
    );
  });
});
