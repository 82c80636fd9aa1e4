import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ExporterEnvironment } from './environment.ts';

const ENV = { SECRET: 's3', NS: 'shop', TEMPLATE: '{{ .Reason }}' };

/** What our configuration expands it to in the end. */
function expanded(text: string): string {
  const environment = new ExporterEnvironment({ env: ENV, unset: 'empty' });
  return environment.resolve(environment.mark(text));
}

describe('the environment of kubernetes-event-exporter', () => {
  for (const [written, value] of [
    ['${SECRET}', 's3'],
    ['$SECRET', 's3'],
    ['a$SECRET-b', 'as3-b'],
    ['${UNSET}-', '-'],
    ['cost $5', 'cost '],
    ['$1x', 'x'],
    ['${bad-name}', ''],
    ['x$', 'x$'],
    ['Updating$', 'Updating$'],
    ['(Foo$|^Bar$)', '(Foo$|^Bar$)'],
    ['${', ''],
    // Better than in kubernetes-event-exporter.
    ['$$', '$'],
    ['$$SECRET', '$SECRET'],
    ['{{ $x := .Reason }}{{ $x }}', '{{ $x := .Reason }}{{ $x }}'],
    ['{{ $x := "a" }}{{ printf "%s" $x }}', '{{ $x := "a" }}{{ printf "%s" $x }}'],
    ['{{ printf `"` $x }}', '{{ printf `"` $x }}'],
    ['{{ regexReplaceAll "(a)" .Message "${1}$1" }}', '{{ regexReplaceAll "(a)" .Message "${1}$1" }}'],
    ['{{ if eq .Namespace "$NS" }}$NS{{ end }}', '{{ if eq .Namespace "shop" }}shop{{ end }}'],
    ['"{{ printf \\"$NS\\" }}" $NS', '"{{ printf \\"shop\\" }}" shop'],
    ['{{ "}}" }}$NS', '{{ "}}" }}shop'],
    ['# values with {{ need quotes\na: $NS', '# values with {{ need quotes\na: shop'],
    ['a: \'{{ replace "\\"" "" .Message }}\'\nb: "$NS"', 'a: \'{{ replace "\\"" "" .Message }}\'\nb: "shop"'],
    ['{{ if eq .Namespace\n  "$NS" }}$NS', '{{ if eq .Namespace\n  "shop" }}shop'],
  ] as const) {
    test(`expands ${written} to ${value === '' ? 'nothing' : value}`, () => assert.equal(expanded(written), value));
  }

  test('keeps references for printing, and escapes what only looks like one', () => {
    const environment = new ExporterEnvironment({ env: ENV, unset: 'keep' });
    const reference = (text: string) => environment.reference(environment.mark(text));
    assert.equal(reference('Bearer $SECRET'), 'Bearer ${SECRET}');
    assert.equal(reference('${LATER}'), '${LATER}');
    assert.equal(reference('$${SECRET}'), '$${SECRET}');
    assert.equal(reference('$$$SECRET'), '$s3');
    assert.deepEqual([...environment.missing], [['LATER', 1]]);
  });

  test('expands a variable that holds a template', () => {
    const environment = new ExporterEnvironment({ env: ENV, unset: 'empty' });
    assert.equal(environment.withTemplates(environment.mark('$TEMPLATE')), '{{ .Reason }}');
  });
});
