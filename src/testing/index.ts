/** What the author of a handler tests with: `import { rehearse } from 'watchchain/testing'`. */
export { rehearse, type Rehearsal, type RehearsedChange, type RehearsalOptions, type SentRequest } from './rehearse.ts';
export { changeOf, type ChangeParts } from './change.ts';
