import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scrubberOf } from './scrub.ts';

for (const [url, said, shown] of [
  ['https://h.example/hook?SECRETKEY123456', 'the key SECRETKEY123456 is not known', 'the key *** is not known'],
  ['https://h.example/wf?v=1&sig=ab%2Bcd%2FefSECRET', 'invalid ab+cd/efSECRET', 'invalid ***'],
  ['https://h.example/wf?v=1&sig=ab%2Bcd%2FefSECRET', 'invalid ab%2Bcd%2FefSECRET', 'invalid ***'],
  ['https://h.example/wf?t=plus+signSECRET', 'bad plus+signSECRET', 'bad ***'],
  ['https://h.example/services/T0123456/secret', 'no /services/T0123456/secret here', 'no *** here'],
  ['https://h.example/hook/%E0SECRET', 'no hook %E0SECRET', 'no hook ***'],
  ['https://h.example/wf?sig=ab%2Bcd%2FefSECRET', String.raw`{"is":"ab+cd\/efSECRET"}`, '{"is":"***"}'],
] as const) {
  test(`scrubberOf() turns "${said}" into "${shown}"`, () => assert.equal(scrubberOf(new URL(url))(said), shown));
}

test('scrubberOf() recognizes a header as escaped in JSON or in a query', () => {
  const scrub = scrubberOf(new URL('https://h.example/'), ['Bearer to/ken"SECRET']);
  for (const said of [
    String.raw`Bearer to/ken\"SECRET`,
    String.raw`Bearer to\/ken\"SECRET`,
    'Bearer%20to%2Fken%22SECRET',
    'Bearer%20to%2fken%22SECRET',
    'Bearer+to%2Fken%22SECRET',
    'Bearer to/ken&quot;SECRET',
  ])
    assert.equal(scrub(`who is ${said}?`), 'who is ***?');
});

test('scrubberOf() recognizes a value from the cluster that JSON or a page escapes', () => {
  const scrub = scrubberOf(new URL('https://h.example/'), ["<it's> \u{1f525} & \u0441"]);
  for (const said of [
    String.raw`<it's> \ud83d\udd25 & \u0441`,
    "\\u003cit's\\u003e \u{1f525} \\u0026 \u0441",
    '&lt;it&#39;s&gt; \u{1f525} &amp; \u0441',
  ])
    assert.equal(scrub(`no ${said}!`), 'no ***!');
});
