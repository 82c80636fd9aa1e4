import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ConfigError } from '../errors.ts';
import { builtinHandlerNames, loadHandler } from './load.ts';

describe('loadHandler()', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'watchchain-load-'));
  });
  after(() => rm(folder, { recursive: true }));

  async function write(path: string, text: string): Promise<string> {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
    return `./${path}`;
  }

  async function problemOf(name: string): Promise<string> {
    const problem = await loadHandler(name, folder).then(
      () => assert.fail(`${name} was loaded`),
      (thrown: unknown) => thrown,
    );
    assert.ok(problem instanceof ConfigError);
    return problem.message;
  }

  test('finds every built-in handler by its name', async () => {
    const names = await builtinHandlerNames();
    assert.ok(names.includes('ignoreEvents'));
    for (const name of names) assert.equal((await loadHandler(name, folder)).name, name);
  });

  test('refuses an unknown name, suggesting the nearest one or a path', async () => {
    const message = await problemOf('ignoreEvent');
    assert.match(message, /^unknown handler "ignoreEvent"; did you mean "ignoreEvents"\?/);
    assert.match(message, /or your own by path/);
  });

  test('loads a plain function in TypeScript or JavaScript that imports watchchain', async () => {
    const typed = `import { halt, type Change } from 'watchchain';\nexport default (change: Change) => halt(change.key);\n`;
    const plain = `import { halt } from 'watchchain';\nexport default (change) => halt(change.key);\n`;
    for (const name of [await write('page-me.ts', typed), await write('page-me.js', plain)]) {
      const definition = await loadHandler(name, folder);
      assert.equal(definition.type, 'transform');
      assert.equal(definition.name, 'page-me');
      assert.deepEqual(definition.options.parse({ anything: 1 }), { anything: 1 });
    }
  });

  test('resolves watchchain to the running copy, so that both share the same objects', async () => {
    const name = await write('same.ts', `import { halt } from 'watchchain';\nexport default () => halt;\n`);
    await loadHandler(name, folder);
    const entry = (await import('../index.ts')).halt;
    const { default: exported } = (await import(join(folder, name))) as { default: () => unknown };
    assert.equal(exported(), entry);
  });

  test('loads a CommonJS file', async () => {
    const name = await write(
      'old.cjs',
      `const { halt } = require('watchchain');\nmodule.exports = () => halt('no');\n`,
    );
    assert.equal((await loadHandler(name, folder)).name, 'old');
  });

  test('names the path of a missing file, and of a folder', async () => {
    assert.match(await problemOf('./absent.ts'), /there is no file .*absent\.ts$/);
    assert.equal(await problemOf('./'), `handler "./": ${folder} is a folder: name the file in it`);
  });

  test('says what it wants when the default export is missing or not a handler', async () => {
    assert.match(await problemOf(await write('none.ts', 'export const a = 1;\n')), /has no default export; expected: /);
    assert.match(
      await problemOf(await write('number.ts', 'export default 1;\n')),
      /default export that is not a handler/,
    );
    assert.match(
      await problemOf(await write('class.ts', 'export default class Pager { handle() {} }\n')),
      /default export that is not a handler/,
    );
  });

  test('explains that an enum is not supported, and what to write instead', async () => {
    const name = await write('enum.ts', 'enum A { B }\nexport default () => A.B;\n');
    assert.match(await problemOf(name), /enum is not supported.*const object/);
  });

  test('explains how to import a type that is imported as a value', async () => {
    const name = await write('type.ts', `import { Change } from 'watchchain';\nexport default (c: Change) => c;\n`);
    assert.match(
      await problemOf(name),
      /not provide an export named 'Change' \(.*type\.ts:1\).*import \{ type Change \}/,
    );
  });

  test('names the package.json that makes a file CommonJS, and the two remedies', async () => {
    await write('old/package.json', '{ "type": "commonjs" }');
    for (const file of ['old/a.ts', 'old/b.js']) {
      const name = await write(file, `import { halt } from 'watchchain';\nexport default () => halt('no');\n`);
      assert.match(await problemOf(name), /old\/package\.json makes it CommonJS.*rename .*\.mts.*"type": "module"/);
    }
    const cjs = await write('c.cjs', 'export default () => undefined;\n');
    assert.match(await problemOf(cjs), /\.cjs or \.cts file is CommonJS.*rename/);
  });

  test('recommends import when an ES module calls require()', async () => {
    const name = await write('require.ts', `const fs = require('node:fs');\nexport default () => fs;\n`);
    assert.match(await problemOf(name), /require is not defined.*use import/);
  });

  test('names file and line of an error in the handler, or in a file that it imports', async () => {
    await write('helper.ts', 'export const a = 1;\nexport const b = (;\n');
    const typed = await write('imports.ts', `import { b } from './helper.ts';\nexport default () => void b;\n`);
    assert.match(await problemOf(typed), /Expression expected \(.*\/helper\.ts:2\)$/);
    const throwing = await write('throws-in-3.ts', `import 'watchchain';\n\nthrow new Error('no database');\n`);
    assert.match(await problemOf(throwing), /no database \(.*\/throws-in-3\.ts:3\)$/);
    const foreign = await write('foreign.js', `import { nope } from 'watchchain';\nexport default nope;\n`);
    assert.match(await problemOf(foreign), /named 'nope' \(.*\/foreign\.js:1\)$/);
    const required = await write('required.cjs', `'use strict';\nundefined.nope();\n`);
    assert.match(await problemOf(required), /reading 'nope'\) \(.*\/required\.cjs:2\)$/);
    // Node does not give a position.
    const plain = await write('plain.js', 'export default (;\n');
    assert.match(await problemOf(plain), /Unexpected token ';'; to find the line, run: node --check .*plain\.js$/);
  });

  test('refuses a handler with options that the configuration would never pass on', async () => {
    const parts = `name: 'own', summary: 's', description: 'd', examples: [], create() {}`;
    const options = `z.strictObject({ Name: z.string(), url: z.string(), fallback: z.string() })`;
    const text = `import { defineSink, z } from 'watchchain';\nexport default defineSink({ ${parts}, options: ${options} });\n`;
    const said = await problemOf(await write('reserved.js', text));
    assert.match(said, /its option "Name" needs another name: .*; its option "fallback" needs another name/);
    assert.doesNotMatch(said, /"url"/);
  });

  test('names missing or malformed parts of a definition', async () => {
    const parts = `name: 'own', summary: 's', description: 'd', examples: [], create() {}`;
    const schemaless = `import { defineSink } from 'watchchain';\nexport default defineSink({ ${parts}, options: { url: 'text' } });\n`;
    assert.match(
      await problemOf(await write('schemaless.js', schemaless)),
      /"\.\/schemaless\.js": its options must be z\.strictObject/,
    );
    const terse = `import { defineSink, z } from 'watchchain';\nexport default defineSink({ name: 'own', options: z.strictObject({}) });\n`;
    assert.match(
      await problemOf(await write('terse.js', terse)),
      /its summary must be a string; its description must be a string; its examples must be a list.*; its create must be a function$/,
    );
  });

  test('gives up after 30 s on a file that never finishes its top-level await', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const reached = Promise.withResolvers<void>();
    process.once('own handler waits', reached.resolve);
    const name = await write(
      'waits.js',
      `process.emit('own handler waits');\nawait new Promise(() => {});\nexport default () => {};\n`,
    );
    const problem = problemOf(name);
    await reached.promise;
    t.mock.timers.tick(30_000);
    assert.match(await problem, /"\.\/waits\.js": it did not load within 30 s: .* wait in start\(\)$/);
  });

  test('reloads a file that failed before, once it is fixed', async () => {
    const broken = [`throw new Error('boom');`, `import { nope } from 'watchchain';`, `export default 1;`, '(;'];
    for (const [index, text] of broken.entries()) {
      const name = await write(`mended-${index}.ts`, `${text}\n`);
      await problemOf(name);
      await write(name, 'export default () => undefined;\n');
      assert.equal((await loadHandler(name, folder)).type, 'transform', text);
    }
  });

  test('names a package that cannot be imported, and keeps what the file threw as the cause', async () => {
    const name = await write('needs.ts', `import x from 'no-such-package';\nexport default x;\n`);
    assert.match(await problemOf(name), /no-such-package.*install the imported package/);
    const bare = await write('bare.ts', `import x from './needs';\nexport default x;\n`);
    assert.match(await problemOf(bare), /needs' imported from .*: correct the path, which ends with the extension/);
    const throwing = await write('throws.ts', `throw new Error('boom');\n`);
    await assert.rejects(loadHandler(throwing, folder), (thrown: Error) => /boom/.test(String(thrown.cause)));
  });
});
