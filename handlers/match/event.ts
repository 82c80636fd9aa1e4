/** What a Kubernetes Event says, of core/v1 and of events.k8s.io/v1 alike: the second renamed half of the fields. */
import { manifestOf, type Change } from '../../src/change.ts';
import { isEvent } from '../../src/event.ts';
import type { Json } from '../../src/json.ts';
import { isMap, own } from '../diff/json.ts';

export interface EventFacts {
  readonly involvedKind: string | undefined;
  readonly involvedName: string | undefined;
  readonly involvedNamespace: string | undefined;
  readonly involvedApiVersion: string | undefined;
  readonly reason: string | undefined;
  readonly type: string | undefined;
  readonly message: string | undefined;
  readonly component: string | undefined;
  readonly host: string | undefined;
}

/** Undefined when the change is not about an Event. */
export function eventFacts(change: Change): EventFacts | undefined {
  if (!isEvent(change.gvk)) return undefined;
  const event = manifestOf(change) as Json | undefined;
  const first = (...paths: readonly string[]) => firstText(event, paths);
  return {
    involvedKind: first('involvedObject.kind', 'regarding.kind'),
    involvedName: first('involvedObject.name', 'regarding.name'),
    involvedNamespace: first('involvedObject.namespace', 'regarding.namespace'),
    involvedApiVersion: first('involvedObject.apiVersion', 'regarding.apiVersion'),
    reason: first('reason'),
    type: first('type'),
    message: first('message', 'note'),
    component: first('source.component', 'reportingComponent', 'reportingController', 'deprecatedSource.component'),
    host: first('source.host', 'deprecatedSource.host'),
  };
}

/** The first of the paths at which there is a text that is not empty: the API fills what it does not know with `""`. */
function firstText(manifest: Json | undefined, paths: readonly string[]): string | undefined {
  for (const path of paths) {
    const found = path.split('.').reduce((value, key) => (isMap(value) ? own(value, key) : undefined), manifest);
    if (typeof found === 'string' && found !== '') return found;
  }
  return undefined;
}
