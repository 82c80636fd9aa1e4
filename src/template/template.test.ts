import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { parseManifest } from '../parse-json.ts';
import { changeOf } from '../testing/change.ts';
import type { Change } from '../change.ts';
import { withDifference } from '../../handlers/diff/difference.ts';
import { withNote } from '../change/lazy-change.ts';
import { compileTemplate } from './template.ts';
import { scopeOf } from './scope.ts';

const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop', labels: { 'app.kubernetes.io/name': 'web' } },
  spec: {
    replicas: 3,
    paused: false,
    containers: [
      { name: 'a', image: 'nginx:1' },
      { name: 'b', image: 'nginx:2' },
    ],
  },
};
const scope = scopeOf(changeOf({ before: { ...deployment, spec: { replicas: 1 } }, after: deployment }));

function rendered(source: string, change?: Change): string {
  return compileTemplate(source).text(change === undefined ? scope : scopeOf(change));
}

describe('compileTemplate()', () => {
  for (const [source, text] of [
    ['no template at all', 'no template at all'],
    ['{{ change.kind }} {{ change.key }} {{change.action}}', 'Deployment shop/web updated'],
    ['{{ change.before.spec.replicas }} -> {{ change.after.spec.replicas }}', '1 -> 3'],
    ['{{ change.after.metadata.labels["app.kubernetes.io/name"] }}', 'web'],
    ['[{{ change.after.no.such.field }}]', '[]'],
    ['[{{ event.reason }}]', '[]'],
    ['{{ change.after.spec.paused }} {{ change.after.metadata.labels }}', 'false {"app.kubernetes.io/name":"web"}'],
    ['{% for c in change.after.spec.containers %}{{ c.name }}={{ c.image }};{% endfor %}', 'a=nginx:1;b=nginx:2;'],
    ['{% if change.after.spec.replicas > 2 %}many{% else %}few{% endif %}', 'many'],
    ['{{ change.after.spec.containers | map: "image" | join: ", " }}', 'nginx:1, nginx:2'],
    ['{{ change.after.spec.containers.size }}', '2'],
    ['a {{- change.name -}} b', 'awebb'],
    ['{{ empty }}{{ blank }}{{ nil }}{{ true }}', 'true'],
    ['{{ change.observedAt | date: "%H:%M", "Europe/Berlin" }}', '00:42'],
    ['{{ change.observedAt | date: "%H:%M", "+02:00" }} {{ change.observedAt | date: "%H:%M", 60 }}', '01:42 22:42'],
    ['{{ change.observedAt | date }}', '2026-11-20T23:42:03+00:00'],
    ['{% capture who %}{{ change.kind | downcase }}{% endcapture %}{{ who }}', 'deployment'],
  ] as const) {
    test(`renders ${source}`, () => assert.equal(rendered(source), text));
  }

  test('a number beyond 2^53 keeps its digits', () => {
    const after = parseManifest(Buffer.from('{"kind":"A","metadata":{"name":"a"},"n":12345678901234567890}'));
    assert.equal(rendered('{{ change.after.n }}', changeOf({ after })), '12345678901234567890');
  });

  for (const [source, value] of [
    ['{{ change.after.n | append: " ns" }}', '1795219018123456789 ns'],
    ['{{ change.after.n | divided_by: 1000000000 | date: "%Y-%m-%d" }}', '2026-11-20'],
    ['{% if change.after.n > 5 and 5 < change.after.n %}more{% endif %}', 'more'],
    ['{{ change.after.list | join: "," }} {{ change.after.list | map: "n" }}', '1795219018123456789,1 [null,null]'],
    ['{% for n in change.after.list %}{{ n | plus: 0 | minus: n }};{% endfor %}', '0;0;'],
    ['{{ change.after.n | bytes }}', '1.6 EiB'],
  ] as const) {
    test(`a number beyond 2^53 can be used: ${source}`, () => {
      const numbers = '"n":1795219018123456789,"list":[1795219018123456789,1]';
      const after = parseManifest(Buffer.from(`{"kind":"A","metadata":{"name":"a"},${numbers}}`));
      assert.equal(rendered(source, changeOf({ after })), value);
    });
  }

  test('a number beyond 2^53 keeps its type and digits through a filter that does not change it', () => {
    const after = parseManifest(Buffer.from('{"kind":"A","metadata":{"name":"a"},"n":12345678901234567890}'));
    const value = compileTemplate('{{ change.after.n | default: 0 }}').value(scopeOf(changeOf({ after })));
    assert.equal(JSON.stringify({ value }), '{"value":12345678901234567890}');
  });

  test('unknown names, filters and tags are refused, with the position and the nearest name', () => {
    for (const [source, message] of [
      ['{{ chagne.name }}', /^unknown name "chagne"; did you mean "change"\? \(line 1, column 4\)$/],
      ['a\n  {{ change.nmae }}', /^unknown name "change\.nmae"; did you mean "name"\? \(line 2, column 6\)$/],
      ['{{ event.resaon }}', /^unknown name "event\.resaon"; did you mean "reason"\?/],
      ['{{ change.name | upcse }}', /^unknown filter "upcse"; did you mean "upcase"\?/],
      ['{{ change.name | sample }}', /^unknown filter "sample"/],
      ['{% iff change.name %}{% endif %}', /^unknown tag "iff"; did you mean "if"\?/],
      ['{% assign x = change.name %}{{ y }}', /^unknown name "y"/],
      ['{{ change.name', /^"\{\{" is not closed \(line 1, column 1\)$/],
      ['{% if change.name %}', /^a tag is not closed/],
      ['{{ change name }}', /^expected one value, a "\." in a name, or an operator between two values/],
      ['{% if true %}{{ change.name == }}{% endif %}', /^expected one value/],
      ['{{ change.name && change.kind }}', /^expected "\|" before filter/],
      ['{{ change.name | image: "tga" }}', /^filter image: the part of image must be one of registry/],
      ['{{ change.observedAt | date: "%H", "Europe/Berln" }}', /^filter date: the time zone must be one such as/],
      ['{% if true %}{{ change.name | regex_match: "(?=a)" }}{% endif %}', /^filter regex_match: .* RE2's syntax/],
      ['x'.repeat(300_000) + '{{ change.name }}', /parse length limit exceeded/],
    ] as const) {
      assert.throws(() => compileTemplate(source), { name: 'TemplateError', message }, source);
    }
  });

  test('errors do not quote the template, which may hold a secret', () => {
    for (const source of [
      'Bearer s3cr3t{{ "s3cr3t }}',
      '{% for s3cr3t %}{% endfor %}',
      '{{ "s3cr3t" "s3cr3t" | }} {{ (1..s3cr3t }}',
    ]) {
      try {
        compileTemplate(source);
      } catch (thrown) {
        assert.doesNotMatch(String(thrown), /s3cr3t/);
      }
    }
  });

  test('a manifest that the template does not read is not parsed', () => {
    const change = changeOf({ after: deployment });
    const untouched = {
      ...change,
      get before(): undefined {
        return assert.fail('parsed');
      },
    };
    assert.equal(rendered('{{ change.kind }} {{ change.after.spec.replicas }}', untouched), 'Deployment 3');
  });
});

describe('template.value()', () => {
  test('keeps the type of a template that is exactly one output', () => {
    for (const [source, value] of [
      ['{{ change.after.spec.replicas }}', 3],
      ['{{ change.after.spec.paused }}', false],
      ['{{ change.after.spec.replicas | plus: 1 }}', 4],
      ['{{ change.after.metadata.labels }}', { 'app.kubernetes.io/name': 'web' }],
      ['{{ change.after.no.such.field }}', undefined],
      ['{{ 1 | divided_by: 0 }}', undefined],
      ['{{ change.after.spec.replicas == 3 }}', true],
      [' {{ change.after.spec.replicas }}', ' 3'],
      ['{% if true %}{{ change.after.spec.replicas }}{% endif %}', '3'],
    ] as const) {
      assert.deepEqual(compileTemplate(source).value(scope), value, source);
    }
  });
});

/** The error of a loop that is too long: a slow machine may run out of time first. */
const ENDLESS = /takes more than (100000 steps|1000 ms)/;

describe('a malicious template', () => {
  for (const [what, source, reason] of [
    ['loops', '{% for i in (1..1000000) %}{% for j in (1..1000000) %}{% endfor %}{% endfor %}', ENDLESS],
    ['makes a long list', '{% for i in (1..99999999) %}x{% endfor %}', /processes more text than a template may/],
    [
      'writes 10 MB',
      `{% for i in (1..1000) %}${'x'.repeat(10_000)}{% endfor %}`,
      /writes more than 4194304 characters/,
    ],
    [
      'doubles what it captures',
      '{% assign a = "xxxxxxxx" %}{% for i in (1..60) %}{% capture a %}{{ a }}{{ a }}{% endcapture %}{% endfor %}{{ a }}',
      /processes more text than a template may/,
    ],
    ['pads a date', '{{ "now" | date: "%999999999Y" }}', /processes more text than a template may/],
    ['misuses a filter', '{{ change.name | append }}', /append expect 2 arguments/],
  ] as const) {
    test(`is cut off when it ${what}`, () => {
      const template = compileTemplate(source, 'layout.text');
      assert.throws(
        () => template.text(scope),
        ({ code, message }: Error & { readonly code?: string }) => {
          assert.equal(code, 'TERMINAL');
          assert.match(message, /^The template of layout\.text failed: .* \(line 1, column \d+\)$/);
          assert.match(message, reason);
          return true;
        },
      );
    });
  }

  test('is cut off when it writes too much without any tag', () => {
    const long = scopeOf(changeOf({ after: { ...deployment, message: 'x'.repeat(100_000) } }));
    const template = compileTemplate('{{ change.after.message }}'.repeat(50), 'layout.text');
    assert.throws(() => template.text(long), /writes more than 4194304 characters/);
  });

  test('reaches no prototype, no environment, no file', () => {
    for (const source of [
      '{{ change.after.constructor.constructor }}',
      '{{ change.after.__proto__ }}{{ change.after.metadata.toString }}',
      '{% assign c = "constructor" %}{{ change.after[c][c] }}{{ change.after[c][c]["prototype"] }}',
      '{{ change.after | map: "constructor" }}',
      '{{ change.after.spec.containers | where: "constructor" | size | minus: 0 | replace: "0", "" }}',
    ]) {
      assert.match(rendered(source), /^(\[\]|\[null\])?$/, source);
    }
    for (const source of [
      '{{ constructor.constructor("return process")() }}',
      '{{ env "X" }}',
      '{{ process.env.HOME }}',
      '{% include "/etc/passwd" %}',
      '{% render "x" %}',
      '{% layout "x" %}',
      '{% increment change %}',
      '{{ "HOME" | env }}',
    ]) {
      assert.throws(() => compileTemplate(source), { name: 'TemplateError' }, source);
    }
  });

  test('leaves Object.prototype as it was', () => {
    const before = Object.getOwnPropertyNames(Object.prototype);
    rendered(
      '{% assign __proto__ = change.after %}{% capture constructor %}x{% endcapture %}{% assign toString = 1 %}',
    );
    assert.deepEqual(Object.getOwnPropertyNames(Object.prototype), before);
    assert.equal(({} as { spec?: unknown }).spec, undefined);
  });
});

describe('scopeOf()', () => {
  test('includes the note of diff, computed when it is read', () => {
    class Note {
      readonly fields = [];
      get headline(): string {
        return 'replicas 1 -> 3';
      }
    }
    const change = withNote(changeOf({ before: deployment, after: deployment }), 'diff', new Note() as never);
    assert.equal(rendered('{{ change.notes.diff.headline }}', change), 'replicas 1 -> 3');
    assert.equal(rendered('{{ change.headline }}', change), 'deployment shop/web updated: replicas 1 -> 3');
  });

  test('details are the lines below the headline, and empty if there are none', () => {
    const template = '{% if change.details %}{{ change.details }}{% else %}none{% endif %}';
    const by = [{ manager: 'kubectl-scale', operation: 'Update', paths: ['spec.replicas'] }] as const;
    const scaled = { ...deployment, spec: { ...deployment.spec, replicas: 5 } };
    const change = withDifference(changeOf({ before: deployment, after: scaled, by: [...by] }));
    assert.equal(rendered(template, change), 'by kubectl-scale\nspec.replicas: 3 -> 5');
    assert.equal(rendered(template, changeOf({ before: deployment })), 'none');
    const away = changeOf({ before: deployment, flags: { whileAway: true } });
    assert.equal(rendered(template, away), 'happened while nothing was watching');
  });

  test('reads an Event of either API group the same way', () => {
    const common = {
      kind: 'Event',
      metadata: { name: 'e', creationTimestamp: '2026-01-01T00:00:00Z' },
      reason: 'BackOff',
      type: 'Warning',
    };
    const object = { kind: 'Pod', namespace: 'shop', name: 'web-1' };
    const core = {
      ...common,
      apiVersion: 'v1',
      message: 'm',
      involvedObject: object,
      source: { component: 'kubelet' },
      count: 3,
      firstTimestamp: null,
    };
    const events = {
      ...common,
      apiVersion: 'events.k8s.io/v1',
      note: 'm',
      regarding: object,
      reportingController: 'kubelet',
      deprecatedCount: 3,
    };
    for (const after of [core, events]) {
      const change = changeOf({ after });
      assert.equal(
        rendered(
          '{{ event.message }} {{ event.involvedObject.name }} {{ event.component }} {{ event.count }} {{ event.firstTimestamp }}',
          change,
        ),
        'm web-1 kubelet 3 2026-01-01T00:00:00Z',
      );
      assert.equal(rendered('{{ change.headline }}', change), 'Warning BackOff x3 pod shop/web-1: m');
      const once = changeOf({ after: { ...after, count: 1, deprecatedCount: 1 } });
      assert.equal(rendered('{{ change.headline }}', once), 'Warning BackOff pod shop/web-1: m');
    }
  });

  test('a headline is a single line, even if the message has several', () => {
    const change = changeOf({
      after: {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: 'e' },
        reason: 'Unhealthy',
        message: 'Liveness probe failed: cat:\t/tmp/ok:\r\n  No such file\n',
      },
    });
    assert.equal(
      rendered('{{ change.headline }}', change),
      'Unhealthy: Liveness probe failed: cat: /tmp/ok: No such file',
    );
  });

  test('headline and details are printable: colours are removed, what hides or reverses text is visible', () => {
    const words = { reason: 'Un\u202ehealthy', message: 'probe:\r\n\u001b[31mfatal\u001b[0m\u0007 \u202ecod.exe' };
    const event = { apiVersion: 'v1', kind: 'Event', metadata: { name: 'e', namespace: 'shop' }, ...words };
    const headline = String.raw`Un\u202ehealthy: probe: fatal\u0007 \u202ecod.exe`;
    assert.equal(rendered('{{ change.headline }}', changeOf({ after: event })), headline);
    const by = [{ manager: 'kubectl\u202e', operation: 'Update', paths: [] }] as const;
    const change = changeOf({ after: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' } }, by });
    assert.equal(rendered('{{ change.details }}', change), String.raw`by kubectl\u202e`);
  });

  test('the headline of an Event that says nothing names the Event', () => {
    const nothing = { type: '', reason: '', message: '', involvedObject: {} };
    const event = { apiVersion: 'v1', kind: 'Event', metadata: { name: 'e', namespace: 'shop' }, ...nothing };
    assert.equal(rendered('{{ change.headline }}', changeOf({ after: event })), 'event shop/e added');
  });

  test('a headline is made in linear time from a message full of blanks', () => {
    const message = `a${' '.repeat(400_000)}b`;
    const change = changeOf({ after: { apiVersion: 'v1', kind: 'Event', metadata: { name: 'e' }, message } });
    const make = () => rendered('{{ change.headline }}', change);
    // Quadratic time would take a minute. A test's own timeout cannot end code that never yields.
    const headline: unknown = runInNewContext('make()', { make }, { timeout: 20_000 });
    assert.match(String(headline), / b$/);
  });
});
