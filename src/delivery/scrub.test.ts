import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scrubberOf } from './scrub.ts';

for (const [url, said, shown] of [
  ['https://h.example/hook?SECRETKEY123456', 'the key SECRETKEY123456 is not known', 'the key *** is not known'],
  ['https://h.example/wf?v=1&sig=ab%2Bcd%2FefSECRET', 'invalid ab+cd/efSECRET', 'invalid ***'],
  ['https://h.example/wf?v=1&sig=ab%2Bcd%2FefSECRET', 'invalid ab%2Bcd%2FefSECRET', 'invalid ***'],
  ['https://h.example/wf?t=plus+signSECRET', 'bad plus+signSECRET', 'bad ***'],
  ['https://h.example/services/T0123456/secret', 'no /services/T0123456/secret here', 'no *** here'],
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
  ])
    assert.equal(scrub(`who is ${said}?`), 'who is ***?');
});
