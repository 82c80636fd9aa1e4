import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { z } from 'zod';
import { changeOf } from '../testing/change.ts';
import { layout as layoutField, template as templateField } from './fields.ts';
import { compileLayout } from './layout.ts';
import { scopeOf } from './scope.ts';

const scope = scopeOf(
  changeOf({
    after: {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'e', namespace: 'shop' },
      reason: 'BackOff',
      count: 3,
      involvedObject: { kind: 'Pod', name: 'web-1' },
    },
  }),
);

describe('compileLayout()', () => {
  test('keeps types and key order, and leaves out what yields nothing', () => {
    const layout = compileLayout({
      zulu: 5,
      text: '{{ event.reason }} x{{ event.count }}',
      count: '{{ event.count }}',
      object: '{{ event.involvedObject }}',
      gone: '{{ event.host }}',
      before: '{{ change.before }}',
      list: ['{{ event.reason }}', '{{ event.host }}', 1.5, true, ['{{ event.count }}']],
      empty: '',
      nested: { gone: '{{ event.host }}' },
      date: new Date(Date.UTC(2026, 0, 1)),
    });
    assert.equal(
      JSON.stringify(layout.value(scope)),
      '{"zulu":5,"text":"BackOff x3","count":3,"object":{"kind":"Pod","name":"web-1"},' +
        '"list":["BackOff",1.5,true,[3]],"empty":"","nested":{},"date":"2026-01-01T00:00:00.000Z"}',
    );
  });

  test('accepts a single template as a layout', () => {
    assert.deepEqual(compileLayout('{{ event.involvedObject }}').value(scope), { kind: 'Pod', name: 'web-1' });
    assert.equal(compileLayout('{{ change.before }}').value(scope), undefined);
  });

  test('treats __proto__ as an ordinary key', () => {
    const layout = compileLayout(JSON.parse('{"__proto__": {"a": "{{ event.reason }}"}}'));
    assert.equal(JSON.stringify(layout.value(scope)), '{"__proto__":{"a":"BackOff"}}');
  });

  test('names the place of a template that fails', () => {
    const layout = compileLayout({ tags: ['a', { text: '{{ event.reason | append }}' }] });
    assert.throws(() => layout.value(scope), {
      code: 'TERMINAL',
      message: /^The template of layout\.tags\[1\]\.text failed/,
    });
  });

  test('applies one output limit to all leaves together', () => {
    const megabyte = '{% for i in (1..1000) %}' + 'x'.repeat(1_000) + '{% endfor %}';
    assert.equal((compileLayout([megabyte]).value(scope) as string[])[0]?.length, 1_000_000);
    assert.throws(() => compileLayout(Array.from({ length: 10 }, () => megabyte)).value(scope), /writes more than/);
  });
});

describe('templateField and layoutField', () => {
  const options = z.strictObject({ text: templateField.optional(), layout: layoutField.optional() });
  const problems = (given: object) =>
    options.safeParse(given).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];

  test('report every mistake, each with its path', () => {
    assert.deepEqual(
      problems({ text: '{{ chagne }}', layout: { a: ['{{ x', '{{ change.name }}'], b: '{{ change.name | foo }}' } }),
      [
        'text: must be a Liquid template: unknown name "chagne"; did you mean "change"? (line 1, column 4)',
        'layout.a.0: must be a Liquid template: "{{" is not closed (line 1, column 1)',
        'layout.b: must be a Liquid template: unknown filter "foo" (line 1, column 1)',
      ],
    );
  });

  test('accept a table, a list or a template as layout', () => {
    for (const layout of ['{{ change.object }}', ['{{ change.name }}', 1], {}])
      assert.deepEqual(problems({ layout }), []);
    for (const layout of [5, true, null]) assert.equal(problems({ layout }).length, 1);
  });

  test('keep their values as written', () => {
    const given = { text: '{{ change.name }}', layout: { a: [1, '{{ event.reason }}'] } };
    assert.deepEqual(options.parse(given), given);
    assert.deepEqual(options.parse({}), {});
  });
});
