/** Finds the chains that watch a recorded object, and brings it into the store like a source. */
import { randomBytes } from 'node:crypto';
import { apiVersionOf, splitKey, type Manifest } from '../change.ts';
import type { Config, ResourceConfig } from '../config/config.ts';
import { ConfigError, toError } from '../errors.ts';
import { EVERYTHING } from '../interest.ts';
import { matchesNamespace } from '../namespaces.ts';
import { ManifestReader } from '../source/manifest.ts';
import { createRedactor, type Redactor } from '../source/redact.ts';
import type { Store } from '../store/store.ts';
import { fieldsNamedIn, parseSelectors, selectable } from '../testing/api-server/selectors.ts';
import { namesOf, pluralOf } from '../kind-names.ts';
import { CustomFields } from './custom-fields.ts';
import type { RecordedEvent } from './watch-events.ts';

export class RecordedScopes {
  readonly #config: Config;
  readonly #store: Store;
  readonly #redactor: Redactor;
  readonly #customFields: CustomFields;
  readonly #scopes = new Map<string, number>();

  /** @param events the whole recording: definitions of custom kinds may come after their objects */
  constructor(config: Config, store: Store, events: readonly RecordedEvent[]) {
    this.#customFields = new CustomFields(events);
    this.#config = config;
    this.#store = store;
    this.#redactor = createRedactor(config.redact, randomBytes(32));
  }

  /** Redacts the object and compares it with the last one. Returns the chains that watch it, and whether they got a change. */
  async accept(event: RecordedEvent): Promise<{ readonly chains: readonly string[]; readonly isChange: boolean }> {
    const chains = this.#config.chains.filter(({ resources }) =>
      resources.some((one) => watches(one, event, this.#customFields)),
    );
    if (chains.length === 0) return { chains: [], isChange: false };
    const { group, version, kind, type, body } = event;
    const names = chains.map(({ name }) => name);
    const scope = await this.#scopeOf(event, names);
    const redact = this.#redactor.forKind({
      group,
      kind,
      resource: pluralOf(kind),
      singular: kind.toLowerCase(),
      // A rule may use any of these names; a wrong extra name at worst hides too much.
      shortNames: namesOf(kind),
    });
    const reader = new ManifestReader({ group, version, kind }, EVERYTHING, this.#redactor.digester);
    const manifest = reader.read(body, 0, body.length);
    const gone = type === 'DELETED';
    const { changes } = await this.#store.accept({
      scope,
      observations: [
        {
          type: gone ? 'gone' : 'seen',
          key: manifest.key,
          uid: manifest.uid,
          resourceVersion: manifest.resourceVersion,
          digest: manifest.digest(),
          body: gone ? new Uint8Array() : redact(manifest.body()),
          managedFields: manifest.managedFields(),
        },
      ],
    });
    return { chains: names, isChange: changes > 0 };
  }

  /** A scope for each set of chains, so that chains watching the same kind in different namespaces get only their objects. */
  async #scopeOf({ group, version, kind }: RecordedEvent, chains: readonly string[]): Promise<number> {
    const spec = {
      group,
      version,
      kind,
      resource: pluralOf(kind),
      chains,
      namespace: chains.join(','),
      labelSelector: '',
      fieldSelector: '',
    };
    const name = `${group}/${spec.resource}/${spec.namespace}`;
    const known = this.#scopes.get(name);
    if (known !== undefined) return known;
    const { id } = await this.#store.openScope(spec);
    this.#scopes.set(name, id);
    return id;
  }
}

/** Without a cluster a name can only be compared with the kind, its plural and the well-known short names. */
function watches(resource: ResourceConfig, event: RecordedEvent, custom: CustomFields): boolean {
  const { kind, group, version, key } = event;
  // Objects without a namespace are watched whatever namespaces the resource has.
  const { namespace } = splitKey(key);
  if (namespace !== undefined && !matchesNamespace(resource.namespaces, namespace)) return false;
  const [name = '', ...groupName] = resource.kind.toLowerCase().split('.');
  if (!namesOf(kind).includes(name) || (groupName.length > 0 && groupName.join('.') !== group)) return false;
  const apiVersion = apiVersionOf({ group, version });
  if (resource.apiVersion !== undefined && ![apiVersion, group].includes(resource.apiVersion)) return false;
  return isSelected(resource, event, custom);
}

function isSelected(resource: ResourceConfig, event: RecordedEvent, custom: CustomFields): boolean {
  const { labelSelector, fieldSelector, at } = resource;
  const { group, kind, body } = event;
  const customFields = custom.of(event, fieldsNamedIn(fieldSelector));
  try {
    const test = parseSelectors({ group, kind, customFields }, labelSelector, fieldSelector);
    return test === undefined || test(selectable(JSON.parse(body.toString('utf8')) as Manifest, customFields));
  } catch (cause) {
    const reason = toError(cause).message;
    throw new ConfigError([`${at}: the API server would refuse the selector for ${kind}: ${reason}`], { cause });
  }
}
