/** What the server refuses about the options of a list or a watch. */
import { StatusError } from './status.ts';

/** Throws StatusError: 422 for options that do not go together, 400 (for the version of a watch 500) for what is not a number. */
export function checkListOptions(query: URLSearchParams, watch: boolean, watchList: boolean): void {
  const problem = watch ? watchProblem(query, watchList) : listProblem(query);
  if (problem !== undefined) {
    throw new StatusError(422, { message: `ListOptions.meta.k8s.io "" is invalid: ${problem}` });
  }
  for (const name of ['limit', 'timeoutSeconds', 'resourceVersion']) {
    const value = query.get(name) ?? '';
    if (value === '' || /^\d+$/.test(value)) continue;
    const status = watch && name === 'resourceVersion' ? 500 : 400;
    throw new StatusError(status, { message: `${name}: Invalid value: "${value}": invalid syntax` });
  }
}

function watchProblem(query: URLSearchParams, watchList: boolean): string | undefined {
  const match = query.get('resourceVersionMatch') ?? '';
  if (!query.has('sendInitialEvents')) {
    return match === ''
      ? undefined
      : 'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided';
  }
  if (!watchList) {
    return 'sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled';
  }
  return match === 'NotOlderThan'
    ? undefined
    : 'resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan';
}

function listProblem(query: URLSearchParams): string | undefined {
  const [match = '', resourceVersion = ''] = [query.get('resourceVersionMatch'), query.get('resourceVersion')].map(
    (value) => value ?? '',
  );
  if (query.has('sendInitialEvents')) {
    return 'sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list';
  }
  if (match === '') return undefined;
  if (query.has('continue')) {
    return 'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided';
  }
  if (resourceVersion === '') {
    return 'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided';
  }
  if (match !== 'Exact' && match !== 'NotOlderThan') {
    return `resourceVersionMatch: Unsupported value: "${match}": supported values: "Exact", "NotOlderThan", ""`;
  }
  return match === 'Exact' && resourceVersion === '0'
    ? 'resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
    : undefined;
}
