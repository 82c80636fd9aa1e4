/** The page in a browser. */
import { describe } from 'node:test';
import { WITHOUT_BROWSER } from './browser.ts';
import { useBrowser } from './open-page.ts';
import { testChanges } from './page-changes.ts';
import { testPods } from './page-pods.ts';
import { testActions } from './page-actions.ts';
import { testDisplay } from './page-display.ts';
import { testStream } from './page-stream.ts';

describe('the page in a browser', { skip: WITHOUT_BROWSER }, () => {
  useBrowser();
  testDisplay();
  testChanges();
  testActions();
  testPods();
  testStream();
});
