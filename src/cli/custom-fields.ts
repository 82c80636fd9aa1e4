/** Which fields of a custom kind a field selector may name. */
import { apiVersionOf } from '../change.ts';
import { isList, member, type Json } from '../json.ts';
import { BUILT_IN_KINDS } from '../source/built-in-kinds.ts';
import type { RecordedEvent } from './watch-events.ts';

type Kind = Pick<RecordedEvent, 'group' | 'version' | 'kind'>;

/** Groups of Kubernetes itself have no dot, or are known by their kinds. */
const BUILT_IN_GROUPS: ReadonlySet<string> = new Set(BUILT_IN_KINDS.map(({ group }) => group));

/** As the recorded CustomResourceDefinitions say. */
export class CustomFields {
  readonly #declared = new Map<string, readonly string[]>();

  constructor(events: readonly RecordedEvent[]) {
    for (const { group, kind, body } of events) {
      if (group !== 'apiextensions.k8s.io' || kind !== 'CustomResourceDefinition') continue;
      const spec = member(JSON.parse(body.toString('utf8')) as Json, 'spec');
      for (const [name, fields] of fieldsOf(spec)) this.#declared.set(name, fields);
    }
  }

  /** @param named the fields that a selector names: without a definition, all of them may be right */
  of({ group, version, kind }: Kind, named: readonly string[]): readonly string[] {
    const declared = this.#declared.get(`${apiVersionOf({ group, version })} ${kind}`);
    if (declared !== undefined) return declared;
    return group.includes('.') && !BUILT_IN_GROUPS.has(group) ? named : [];
  }
}

/** By `group/version Kind`, without the dot with which each path begins. */
function* fieldsOf(spec: Json | undefined): Generator<readonly [string, readonly string[]]> {
  const [group, kind] = [textIn(spec, 'group'), textIn(member(spec, 'names'), 'kind')];
  for (const version of listIn(spec, 'versions')) {
    const fields = listIn(version, 'selectableFields').map((field) => textIn(field, 'jsonPath').replace(/^\./, ''));
    yield [`${group}/${textIn(version, 'name')} ${kind}`, fields];
  }
}

function textIn(value: Json | undefined, name: string): string {
  const text = member(value, name);
  return typeof text === 'string' ? text : '';
}

function listIn(value: Json | undefined, name: string): readonly Json[] {
  const list = member(value, name);
  return isList(list) ? list : [];
}
