import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import TOML from '@iarna/toml';
import { builtinHandlers, handlerPage } from './handler-page.ts';

const handlers = await builtinHandlers();

describe('handlerPage()', () => {
  for (const handler of handlers) {
    const { name, options, summary, examples } = handler;

    test(`${name}: the page has type, default, example and description of every option`, () => {
      const page = handlerPage(handler);
      assert.ok(page.startsWith(`# ${name}\n\n${summary}\n\n`) && page.endsWith('\n'));
      for (const option of Object.keys(options.shape)) {
        const row = page.split('\n').find((line) => line.startsWith(`| \`${option}\` |`));
        assert.match(row ?? '', /^\| `\w+` \| \S.* \| .* \| `.+` \| \S.* \|$/, `${name}.${option}: ${row}`);
      }
    });

    test(`${name}: every example is TOML that the schema of the options accepts`, () => {
      assert.ok(examples.length > 0);
      for (const { title, toml } of examples) {
        // As in the configuration, `${VAR}` is replaced before the schema sees the value.
        const { handler: tables } = TOML.parse(toml.replace(/\$\{[^}]+\}/g, 'https://hooks.example/x'));
        const [{ name: given, id: _id, ...rest }] = tables as unknown as [Record<string, unknown>];
        assert.equal(given, name, title);
        assert.deepEqual(options.safeParse(rest).error?.issues ?? [], [], title);
      }
    });
  }

  test('shows unions, lists, tables and values in TOML syntax', () => {
    const match = handlers.find(({ name }) => name === 'match');
    assert.ok(match);
    const page = handlerPage(match);
    assert.match(page, /^\| `drop` \| boolean \| `false` \| `true` \|/m);
    assert.match(page, /^\| `kind` \| string or list \| {2}\| `"\^\(Deployment\\\|StatefulSet\)\$"` \|/m);
    assert.match(page, /^\| `field` \| table of string or list \| {2}\| `\{ "spec\.type" = /m);
  });
});
