import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compileLayout } from '../../../../template/layout.ts';
import { withNote } from '../../../../change/lazy-change.ts';
import { scopeOf } from '../../../../template/scope.ts';
import { changeOf } from '../../../../testing/change.ts';
import { GoTemplateError } from './ast.ts';
import { translateGoTemplate } from './translate.ts';

const OPTIONS = { clusterName: 'prod-eu', deDot: false };

const EVENT = {
  apiVersion: 'v1',
  kind: 'Event',
  metadata: {
    name: 'web-1.17a',
    namespace: 'shop',
    uid: 'ev-1',
    resourceVersion: '7',
    creationTimestamp: '2026-11-20T23:56:58Z',
    annotations: { 'giantswarm.io/target-version': '30.1.0' },
  },
  involvedObject: { kind: 'Pod', namespace: 'shop', name: 'web-1', uid: 'pod-1', apiVersion: 'v1' },
  reason: 'ClusterIsUpdating',
  type: 'Normal',
  message: 'm "q" <x>',
  count: 3,
  source: { component: 'kubelet' },
  firstTimestamp: '2026-11-20T23:56:58Z',
  lastTimestamp: '2026-11-20T23:56:58Z',
  eventTime: null,
};
const INVOLVED = {
  apiVersion: 'v1',
  kind: 'Pod',
  namespace: 'shop',
  name: 'web-1',
  uid: 'pod-1',
  labels: { app: 'web', version: 'dev' },
  annotations: {},
  ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-7d', uid: 'rs-1' }],
  deleted: false,
  known: true,
};

/** What the template renders as a leaf of a layout, by default for {@link EVENT}. */
function rendered(template: string, event: object = EVENT, options = OPTIONS): unknown {
  const layout = compileLayout({ leaf: translateGoTemplate(template, options, 'layout') });
  const scope = scopeOf(withNote(changeOf({ after: event }), 'involved', INVOLVED));
  return (layout.value(scope) as { readonly leaf?: unknown }).leaf;
}

describe('translateGoTemplate() renders as kubernetes-event-exporter does', () => {
  for (const [template, text] of [
    // Output observed from kubernetes-event-exporter.
    ['', ''],
    ['{{ .Count }}', '3'],
    ['a {{ .Reason }}', 'a ClusterIsUpdating'],
    ['{{ .InvolvedObject.Labels.nokey }}', '<no value>'],
    ['{{ index .InvolvedObject.Labels "nokey" }}', ''],
    ['{{ toJson .InvolvedObject.Labels }}', '{"app":"web","version":"dev"}'],
    ['{{ toJson .Labels }}', 'null'],
    ['{{ toJson .InvolvedObject.Annotations }}', 'null'],
    ['{{ .LastTimestamp }}', '2026-11-20 23:56:58 +0000 UTC'],
    ['{{ .EventTime }}', '0001-01-01 00:00:00 +0000 UTC'],
    ['{{ .GetTimestampMs }}', '1795219018000'],
    ['{{ .GetTimestampISO8601 }}', '2026-11-20T23:56:58.000Z'],
    ['{{ .Reason | upper | trunc 4 | quote }}', '"CLUS"'],
    ['<a&b>', '<a&b>'],
    ['{{ toRawJson .Message }}', '"m \\"q\\" <x>"'],
    ['{{ toJson .Message }}', '"m \\"q\\" \\u003cx\\u003e"'],
    ['block\n', 'block\n'],
    // Fields and methods.
    ['{{ .Name }}|{{ .ObjectMeta.Name }}|{{ .GetName }}|{{ .Kind }}', 'web-1.17a|web-1.17a|web-1.17a|'],
    ['{{.ClusterName}} {{ .Source.Component }}{{ .Source.Host }}', 'prod-eu kubelet'],
    ['{{ index .Annotations "giantswarm.io/target-version" }}', '30.1.0'],
    ['{{ .InvolvedObject.Deleted }} {{ .InvolvedObject.APIVersion }}', 'false v1'],
    ['{{ .LastTimestamp.Unix }} {{ .LastTimestamp.Time.UnixNano }}', '1795219018 1795219018000000000'],
    ['{{ .LastTimestamp.Format "02.01.2006 15:04" }}', '20.11.2026 23:56'],
    ['{{ .EventTime.IsZero }}', 'true'],
    ['{{ (index .InvolvedObject.OwnerReferences 0).Name }}', 'web-7d'],
    ['{{ .InvolvedObject.OwnerReferences | len }}', '1'],
    ['{{ .DeDot.Annotations }} {{ (.DeDot).Name }}', 'map[giantswarm_io/target-version:30.1.0] web-1.17a'],
    [
      '{{ with .DeDot }}{{ .InvolvedObject.Labels }}{{ .ObjectMeta.Annotations }}{{ end }}',
      'map[app:web version:dev]map[giantswarm_io/target-version:30.1.0]',
    ],
    [
      '{{ .LastTimestamp.Year }}-{{ .LastTimestamp.Month }}-{{ .LastTimestamp.Day }} {{ .LastTimestamp.Weekday }}',
      '2026-November-20 Friday',
    ],
    [
      '{{ .LastTimestamp.Hour }} {{ .LastTimestamp.Minute }} {{ .CreationTimestamp.Second }} {{ add 1 .EventTime.Hour }}',
      '23 56 58 1',
    ],
    // The language.
    ['{{- /* a comment */ -}} a {{- " b" }}', 'a b'],
    ['{{ if eq .Type "Normal" }}n{{ else if eq .Type "Warning" }}w{{ else }}o{{ end }}', 'n'],
    ['{{ if eq .Type "x" }}n{{ else if eq (lower .Type) "normal" }}w{{ else }}o{{ end }}', 'w'],
    ['{{ if and (eq .Type "Normal") (ne .Reason "x") }}a{{ end }}', 'a'],
    ['{{ if or .Action .Source.Host }}a{{ else }}b{{ end }}', 'b'],
    ['{{ if not .Action }}a{{ end }}{{ if gt .Count 2 }}b{{ end }}{{ if .Count }}c{{ end }}', 'abc'],
    ['{{ with .Action }}{{ . }}{{ else }}{{ with .Reason | lower }}{{ . }}{{ end }}{{ end }}', 'clusterisupdating'],
    ['{{ range $k, $v := .InvolvedObject.Labels }}{{ $k }}={{ $v }};{{ end }}', 'app=web;version=dev;'],
    ['{{ range .InvolvedObject.OwnerReferences }}{{ .Kind }} of {{ $.Name }}{{ end }}', 'ReplicaSet of web-1.17a'],
    ['{{ range $i, $o := .InvolvedObject.OwnerReferences }}{{ $i }}{{ $o.Kind }}{{ end }}', '0ReplicaSet'],
    ['{{ range .InvolvedObject.Annotations }}x{{ else }}none{{ end }}', 'none'],
    [
      '{{ range list 1 2 3 }}{{ if eq . 2 }}{{ continue }}{{ end }}{{ if eq . 3 }}{{ break }}{{ end }}{{ . }}{{ end }}',
      '1',
    ],
    ['{{ $x := .Reason }}{{ if .Count }}{{ $x = "b" }}{{ $y := 1 }}{{ end }}{{ $x }}', 'b'],
    ['{{ $x := 1 }}{{ with .Reason }}{{ $x := 2 }}{{ end }}{{ $x }}', '1'],
    ['{{ "{{" }} {{ `}}` }} {% raw %} { {{ .Count }}}', '{{ }} {% raw %} { 3}'],
    ['{"n":{{ .Count }},"m":{{ toJson .Message }}}', '{"n":3,"m":"m \\"q\\" \\u003cx\\u003e"}'],
    // Functions.
    ['{{ printf "%s/%s %05d %q %v%%" .Namespace .Name .Count .Type true }}', 'shop/web-1.17a 00003 "Normal" true%'],
    ['{{ .Message | replace "q" "p" | trunc -4 }}', ' <x>'],
    ['{{ default "none" .Action }} {{ .Action | default "none" }} {{ coalesce .Action .Type }}', 'none none Normal'],
    ['{{ mul .Count 2 }} {{ add 1 .Count }} {{ sub 5 1 }} {{ div 7 2 }} {{ max 1 .Count }}', '6 4 4 3 3'],
    ['{{ regexReplaceAll "([A-Z])" .Reason "-${1}" | lower }}', '-cluster-is-updating'],
    ['{{ regexMatch "^Cluster" .Reason }} {{ regexFind "Is[A-Z]." .Reason }}', 'true IsUp'],
    ['{{ now | date "2006-01-02" }} {{ date "15:04" .LastTimestamp }}', '2026-11-20 23:56'],
    ['{{ dateInZone "15:04" .LastTimestamp "Europe/Berlin" }}', '00:56'],
    ['{{ ternary "y" "n" (eq .Count 3) }} {{ empty .Action }} {{ hasPrefix "Cl" .Reason }}', 'y true true'],
    ['{{ list "a" "b" | join "-" }} {{ splitList "," "a,b" | last }} {{ contains "web" .Name }}', 'a-b b true'],
    ['{{ printf "%v" nil }} {{ quote "a" nil }} {{ cat "a" nil 1 }} {{ list 1 nil }}', '<nil> "a" a 1 [1 <nil>]'],
    ['{{ toJson (dict "t" .EventTime "odd") }}', '{"odd":"","t":null}'],
    [
      '{{ quote "a\\u00a0b\\u200d\\u2028\\u0007\\u000e\\u007f\\U000e0001 é" }}',
      String.raw`"a\u00a0b\u200d\u2028\a\x0e\x7f\U000e0001 é"`,
    ],
    ['{{ toRawJson "\\u2028<" }}', String.raw`"\u2028<"`],
    ['{{ if eq .InvolvedObject.Labels.nokey "" }}a{{ else }}b{{ end }}', 'b'],
    ['{{ if ne .InvolvedObject.Labels.nokey "" }}a{{ end }}{{ if eq .Action "" }}b{{ end }}', 'ab'],
    [
      '{{ toJson (dict "r" .Reason "n" .Count "l" .InvolvedObject.Labels) }}',
      '{"l":{"app":"web","version":"dev"},"n":3,"r":"ClusterIsUpdating"}',
    ],
    [
      '{{ html .Message }} {{ urlquery .Message }} {{ urlquery "a b/~*" }}',
      'm &#34;q&#34; &lt;x&gt; m+%22q%22+%3Cx%3E a+b%2F~%2A',
    ],
    [
      '{{ abbrev 10 .Reason }} {{ abbrev 99 .Reason }} {{ abbrev 3 .Reason }}',
      'Cluster... ClusterIsUpdating ClusterIsUpdating',
    ],
    ['{{ (split "-" .Name)._1 }} {{ regexReplaceAllLiteral "[A-Z]" .Reason "$0" }}', '1.17a $0luster$0s$0pdating'],
    [
      '{{ biggest 1 .Count }} {{ atoi "42" }} {{ trimall "w" "web" }} {{ htmlDate .LastTimestamp }} {{ date_in_zone "15" .LastTimestamp "UTC" }}',
      '3 42 eb 2026-11-20 23',
    ],
    ['{{ toPrettyJson .Source }}', '{\n  "component": "kubelet"\n}'],
    ['{{ .InvolvedObject.Labels }}', 'map[app:web version:dev]'],
    ['{{ b64enc .Type }} {{ .Type | squote }} {{ cat "a" .Count }} {{ " a " | trim }}', "Tm9ybWFs 'Normal' a 3 a"],
  ] as const) {
    test(JSON.stringify(template), () => assert.equal(rendered(template), text));
  }

  test('renders unset times as the zero time of Go, and in milliseconds with its overflow', () => {
    const { firstTimestamp: _, ...untimed } = EVENT;
    assert.equal(rendered('{{ .GetTimestampMs }}', untimed), '-6795364578871');
    assert.equal(rendered('{{ .FirstTimestamp }}', untimed), '0001-01-01 00:00:00 +0000 UTC');
  });

  test('renders missing fields of the Event as the zero values of Go', () => {
    const { source: _, ...sourceless } = EVENT;
    assert.equal(rendered('{{ .Source.Component }}', sourceless), '');
    assert.equal(rendered('{{ toJson .Source }}{{ .Source | toPrettyJson }}', { ...EVENT, source: {} }), '{}{}');
    assert.equal(rendered('{{ toJson .Source }} {{ toJson .Series }}', sourceless), '{} null');
    assert.equal(rendered('{{ .Message }}{{ .Series.Count }}', { kind: 'Event', metadata: { name: 'a' } }), '0');
  });

  test('writes the whole Event in the shape of kubernetes-event-exporter', () => {
    assert.equal(
      rendered('{{ toJson . }}'),
      '{"metadata":{"name":"web-1.17a","namespace":"shop","uid":"ev-1","resourceVersion":"7","creationTimestamp":"2026-11-20T23:56:58Z","annotations":{"giantswarm.io/target-version":"30.1.0"}},' +
        '"reason":"ClusterIsUpdating","message":"m \\"q\\" \\u003cx\\u003e","source":{"component":"kubelet"},"firstTimestamp":"2026-11-20T23:56:58Z","lastTimestamp":"2026-11-20T23:56:58Z","count":3,"type":"Normal","eventTime":null,' +
        '"reportingComponent":"","reportingInstance":"","clusterName":"prod-eu","involvedObject":{"kind":"Pod","namespace":"shop","name":"web-1","uid":"pod-1","apiVersion":"v1","labels":{"app":"web","version":"dev"},' +
        '"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-7d","uid":"rs-1"}],"deleted":false}}',
    );
    assert.match(String(rendered('{{ toJson .InvolvedObject }}')), /^\{"kind":"Pod",.*"deleted":false\}$/);
  });

  test('deDot replaces the dots in the keys of labels and annotations, and nowhere else', () => {
    const dotted = { ...OPTIONS, deDot: true };
    assert.equal(rendered('{{ index .Annotations "giantswarm_io/target-version" }}', EVENT, dotted), '30.1.0');
    assert.match(String(rendered('{{ toJson . }}', EVENT, dotted)), /"giantswarm_io\/target-version":"30\.1\.0"/);
  });
});

describe('translateGoTemplate() refuses a template, naming what is wrong', () => {
  for (const [template, message] of [
    ['{{ .involvedObject.kind }}', /no field \.involvedObject in an Event; did you mean "InvolvedObject"/],
    ['{{ .metadata.name }}', /no field \.metadata in an Event; its fields are .*Name/],
    ['{{ .clusterName }}', /no field \.clusterName in an Event; did you mean "ClusterName"/],
    ['{{ .InvolvedObject.Nmae }}', /no field \.Nmae in InvolvedObject; did you mean "Name"/],
    ['{{ .Reason.x }}', /no field \.x in a string/],
    ['{{ .Reason', /not closed: "\{\{" without "\}\}"/],
    ['{{ "a }}', /a string is not closed/],
    ['{{ if .Reason }}', /\{\{if\}\} without \{\{end\}\}/],
    ['{{ if .Reason }}a{{ else }}b', /\{\{if\}\} without \{\{end\}\}/],
    ['{{ end }}', /\{\{end\}\} without/],
    ['{{ else }}', /\{\{else\}\} without/],
    ['a{{ break }}b', /\{\{break\}\} without \{\{range\}\}/],
    ['{{ range .Labels }}a{{ else }}{{ continue }}{{ end }}', /\{\{continue\}\} without \{\{range\}\}/],
    ['{{ range .Labels }}{{ break 1 }}{{ end }}', /\{\{break\}\} takes nothing/],
    ['{{ if .Reason }}a{{ end if }}', /\{\{end\}\} takes nothing/],
    ['{{ $x }}', /undefined variable "\$x"/],
    ['{{ $x = 1 }}', /undefined variable "\$x"/],
    ['{{ }}', /a value is missing/],
    ['{{ (.Reason }}', /"\(" without "\)"/],
    ['{{ .Reason 1 }}', /\.Reason takes no arguments/],
    ['{{ uper .Reason }}', /function uper is not supported; did you mean "upper"/],
    ['{{ trunc .Reason }}', /trunc takes 2 arguments, not 1/],
    ['{{ env "HOME" }}', /function env is not available/],
    ['{{ template "x" }}', /\{\{template\}\} is not supported/],
    ['{{ . }}', /Event cannot be printed as a whole/],
    ['{{ printf "%v" .Source }}', /Source cannot be printed as a whole/],
    ['{{ .InvolvedObject | quote }}', /InvolvedObject cannot be printed as a whole/],
    ['{{ range .Reason }}{{ end }}', /range needs a list or a map, not a string/],
    ['{{ .Reason; }}', /";.*" is not part of the template language/],
    ['{{ "\\z" }}', /not a valid escape/],
    ['{{ "\\U00110000" }}', /not a valid escape/],
  ] as const) {
    test(template, () => {
      assert.throws(
        () => translateGoTemplate(template, OPTIONS, 'text'),
        (thrown) => thrown instanceof GoTemplateError && message.test(thrown.message),
      );
    });
  }
});
