/** For testing one's own handlers: `import { rehearse } from 'watchchain/testing'`. */
export { rehearse, type Rehearsal, type RehearsedChange, type RehearsalOptions, type SentRequest } from './rehearse.ts';
export { changeOf, type ChangeParts } from './change.ts';
