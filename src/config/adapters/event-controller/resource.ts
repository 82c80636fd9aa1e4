/** What the Event Controller watches: a plural found by discovery, one in a given group, or an API path as written. */
import type { Report } from '../report.ts';
import type { Settings } from './settings.ts';

export interface WatchedResource {
  readonly kind: string;
  readonly apiVersion?: string;
  readonly namespaces?: readonly string[];
  readonly fieldSelector?: string;
}

/** Undefined if it cannot be determined, which is reported as a problem. */
export function resourceOf(settings: Settings, isNamespaced: boolean, report: Report): WatchedResource | undefined {
  const path = settings.value('K8S_API_PATH');
  if (path !== '') return resourceAtPath(path, report);
  const apiVersion = apiVersionOf(settings, report);
  return {
    kind: settings.value('K8S_RESOURCE'),
    ...(apiVersion === undefined ? {} : { apiVersion }),
    ...(isNamespaced ? { namespaces: [settings.value('K8S_NAMESPACE')] } : {}),
  };
}

/** Only a group that was set explicitly overrides discovery: the original's default, `oapi`, is gone since OpenShift 4. */
function apiVersionOf(settings: Settings, report: Report): string | undefined {
  const version = settings.value('K8S_API_VERSION') || 'v1';
  if (!settings.isGiven('K8S_API_GROUP')) {
    if (settings.isGiven('K8S_API_VERSION') && version !== 'v1')
      report.warning(['global', 'k8s_api_version'], 'has no effect without k8s_api_group: discovery finds the version');
    return undefined;
  }
  const group = settings.value('K8S_API_GROUP').replace(/^\/|\/$/g, '');
  const [, named] = /^apis\/([^/]+)$/.exec(group) ?? [];
  if (group === 'api') return version;
  if (group === 'oapi') return `oapi/${version}`;
  if (named !== undefined) return `${named}/${version}`;
  report.problem(['global', 'k8s_api_group'], `must be "api", "oapi" or "apis/GROUP": current value is "${group}"`);
  return undefined;
}

/** `/apis/GROUP/VERSION/namespaces/NS/PLURAL/NAME` and its shorter forms. */
const API_PATH =
  /^\/?(?:(api)|(oapi)|apis\/(?<group>[^/]+))\/(?<version>[^/]+)(?:\/namespaces\/(?<namespace>[^/]+))?\/(?<plural>[^/]+)(?:\/(?<name>[^/]+))?\/?$/;

function resourceAtPath(path: string, report: Report): WatchedResource | undefined {
  const found = API_PATH.exec(path);
  if (found?.groups === undefined || path.includes('?')) {
    report.problem(
      ['global', 'k8s_api_path'],
      `must be the path of a list, such as "api/v1/pods" or "apis/route.openshift.io/v1/namespaces/shop/routes": current value is "${path}"`,
    );
    return undefined;
  }
  const { group, version = '', namespace, plural = '', name } = found.groups;
  const [, core] = found;
  return {
    kind: plural,
    apiVersion: core === undefined ? `${group ?? 'oapi'}/${version}` : version,
    ...(namespace === undefined ? {} : { namespaces: [namespace] }),
    ...(name === undefined ? {} : { fieldSelector: `metadata.name=${name}` }),
  };
}
