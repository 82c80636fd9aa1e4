/** `watchchain check`: what it says of handlers and settings that do not fit together in a chain. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { run } from './commands.ts';
import { Workdir } from './program.ts';

const PODS = '[[resource]]\nkind = "pod"\n';

const check = async (workdir: Workdir, text: string) =>
  run(workdir, ['check', '-c', await workdir.write('config.toml', text)]);

describe('check: chains', () => {
  test('says that a top-level option placed after a handler goes to the top of the file', async () => {
    await using workdir = await Workdir.make();
    const quiet = 'quiet = [{ daily = "22:00-06:00" }]\n';
    const rest = `${PODS}[[handler]]\nname = "log"\n`;
    const { stderr } = await check(workdir, rest + quiet);
    assert.match(stderr, /toml:5: handler\[0\]\.quiet: unknown key; it goes to the top of the file/);
    assert.equal((await check(workdir, quiet + rest)).stderr, '');
  });

  test('refuses a quiet that tests notes before the handlers that leave them, not after them', async () => {
    await using workdir = await Workdir.make();
    const pods = '[[chain.resource]]\nkind = "pod"\n[[chain.handler]]\nname = "podAlerts"\n';
    const branch = '[[chain.branch]]\nname = "ops"\n';
    const log = '[[chain.handler]]\nname = "log"\n';
    const problemOf = async (text: string) => (await check(workdir, text)).stderr;
    for (const test of ['notes."alert.level" = "Warning"', 'when = "{{ change.notes.alert.restarts > 3 }}"']) {
      const [name] = test.split(/[. ]/);
      const quiet = `quiet = [{ action = "halt", ${test} }]\n`;
      const chain = `[[chain]]\nname = "pods"\n`;
      const refused = new RegExp(
        `^\\S+ \\S+config\\.toml:(\\d): (?:chain\\[0\\]\\.)?quiet\\[0\\]\\.${name}: comes before the handlers`,
      );
      assert.equal(refused.exec(await problemOf(quiet + chain + pods + log))?.[1], '1');
      assert.equal(refused.exec(await problemOf(chain + quiet + pods + log))?.[1], '3');
      const handler = `[[chain.handler]]\nname = "quiet"\naction = "halt"\n${test}\n`;
      assert.equal(await problemOf(chain + pods + handler + log), '');
      assert.equal(await problemOf(chain + pods + branch + quiet + log.replace('chain.', 'chain.branch.')), '');
      assert.equal(
        await problemOf(`deadLetters = "ops"\n${chain}${pods}${log}[[chain]]\nname = "ops"\n${quiet}${log}`),
        '',
      );
    }
  });

  test('refuses an otherwise to which nothing is left, and shows one that has something as the first step', async () => {
    await using workdir = await Workdir.make();
    const rest = '[[branch]]\nname = "rest"\notherwise = true\n[[branch.handler]]\nname = "log"\n';
    const all = '[[branch]]\nname = "all"\n[[branch.handler]]\nname = "log"\n';
    const some = all.replace(
      '[[branch.handler]]',
      '[[branch.handler]]\nname = "match"\nkind = "x"\n[[branch.handler]]',
    );
    const alone = await check(workdir, PODS + rest);
    assert.match(alone.stderr, /config\.toml:5: branch\[0\]\.otherwise: needs another branch beside this one$/m);
    const greedy = await check(workdir, PODS + all + rest);
    assert.match(
      greedy.stderr,
      /:9: branch\[1\]\.otherwise: nothing is left for this branch: "all" takes every change/,
    );
    const { stderr, stdout } = await check(workdir, PODS + rest + some);
    assert.equal(stderr, '');
    assert.match(stdout, /branch "rest"\n +then +1\. otherwise: Halts what another branch takes\.\n +2\. log/);
  });

  test('refuses valid handlers that cannot be in one chain', async () => {
    await using workdir = await Workdir.make();
    const alerts = '[[branch.handler]]\nname = "podAlerts"\n';
    const branch = `[[branch]]\nname = "ops"\n${alerts}${alerts.replace('\n', '\nid = "more"\n')}`;
    const { code, stdout, stderr } = await check(workdir, PODS + branch);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /default\/ops\/podAlerts keeps state by group.*move default\/ops\/more to a branch/);
  });

  test('names every handler that cannot be created, with its place', async () => {
    await using workdir = await Workdir.make();
    await workdir.write(
      'own.ts',
      `import { defineTransform, z } from 'watchchain';
export default defineTransform({
  name: 'own',
  summary: 's',
  description: 'd',
  examples: [],
  options: z.strictObject({ zone: z.string().describe('d').meta({ example: 'x' }) }),
  create({ zone }) {
    throw new Error('no zone ' + zone);
  },
});
`,
    );
    const own = (zone: string) => `[[handler]]\nname = "./own.ts"\nid = "${zone}"\nzone = "${zone}"\n`;
    const { stderr } = await check(workdir, `${PODS}${own('a')}${own('b')}`);
    assert.match(stderr, /default\/a \(\S+toml:3\) cannot be used: no zone a\n.*default\/b .* no zone b$/m);
  });

  test('refuses podAlerts after a diff that halts changes of the status, also in a branch', async () => {
    await using workdir = await Workdir.make();
    const diff = '[[handler]]\nname = "diff"\n';
    const alerts = '[[handler]]\nname = "podAlerts"\n';
    const branch = '[[branch]]\nname = "ops"\n[[branch.handler]]\nname = "podAlerts"\n';
    for (const [text, line] of [
      [diff + alerts, 5],
      [diff + branch, 7],
    ] as const) {
      const { code, stderr } = await check(workdir, PODS + text);
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`config\\.toml:${line}: "podAlerts" .* "diff" \\(\\S+config\\.toml:3\\) halts`));
    }
    for (const text of [alerts + diff, `${diff}status = true\n${alerts}`])
      assert.equal((await check(workdir, PODS + text)).code, 0);
  });

  test('warns of handlers and options that have nothing to do with the kinds which their chain watches', async () => {
    await using workdir = await Workdir.make();
    const handler = (text: string) => `[[handler]]\n${text}\n`;
    const warningsOf = async (text: string) => {
      const { stdout } = await check(workdir, `[[resource]]\nkind = "deploy"\n${text}${handler('name = "log"')}`);
      return [...stdout.matchAll(/config\.toml:(.*), but this chain watches (.*)$/gm)].map((found) => found.slice(1));
    };
    const watched = 'Deployment';
    for (const [text, warning] of [
      ['name = "podAlerts"', '"podAlerts" reports nothing: it needs pods, nodes, jobs or Events'],
      ['name = "match"\nkind = "^deploymnt$"', '"match" halts everything: its kind is ^deploymnt$'],
      ['name = "match"\ndrop = true\nkind = ["pod", "job"]', '"match" drops nothing: its kind is pod or job'],
      ['name = "match"\nreason = "^BackOff$"', '"match" halts everything: its reason is for Kubernetes Events'],
      ['name = "diff"\nkinds.deploymnt.ignore = ["spec.replicas"]', '"diff" has rules for a kind "deploymnt"'],
      ['name = "lasting"\nkind = "node"\nfor = "1m"', '"lasting" reports nothing: its kind is node'],
    ] as const)
      assert.deepEqual(await warningsOf(handler(text)), [[`3: ${warning}`, watched]]);

    const wrong = handler('name = "match"\nkind = "pod"');
    const branch = `[[branch]]\nname = "ops"\n${wrong.replace('handler', 'branch.handler')}`;
    assert.equal((await warningsOf(branch)).length, 1, 'in a branch');
    const custom = '[[resource]]\nkind = "rollout"\n';
    assert.deepEqual(await warningsOf(custom + wrong), [], 'only the cluster knows what kind "rollout" is');
    const fitting = ['kind = "DEPLOY"', 'kind = ["pod", "deployment"]', 'reason = ".*"\nabsentIsEmpty = true'];
    for (const test of fitting) assert.deepEqual(await warningsOf(handler(`name = "match"\n${test}`)), []);
    const byName = handler('name = "diff"\nkinds."deployments.apps".ignore = ["spec.replicas"]');
    assert.deepEqual(await warningsOf(byName), []);
    assert.deepEqual(await warningsOf(`deadLetters = "default"\n${wrong}`), [], 'dead letters may be of other kinds');
  });
});
