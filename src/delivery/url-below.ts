/** The URL of `path` below `base`, whose own path and query stay: a base may be `https://grafana.example/grafana?orgId=2`. */
export function urlBelow(base: string, path: string): URL {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${path}`;
  return url;
}

/** What one request appends to its receiver's URL: segments of the path and pairs of the query, as texts that are not encoded. */
export interface Appended {
  /** No segment is empty, `.` or `..`: those would name another place. */
  readonly path: readonly string[];
  readonly query: readonly (readonly [name: string, value: string])[];
}

/** The URL with each part appended, percent-encoded. What it has of its own, the path and the query too, stays as it is. */
export function urlWith(base: URL, appended: Appended | undefined): URL {
  if (appended === undefined) return base;
  const url = appended.path.length === 0 ? new URL(base) : urlBelow(base.href, appended.path.map(encoded).join('/'));
  const pairs = appended.query.map(([name, value]) => `${encoded(name)}=${encoded(value)}`);
  // Not with URLSearchParams, which would also rewrite the URL's own query: a lone key would get a "=".
  url.search = [url.search, ...pairs].filter((part) => part !== '').join('&');
  return url;
}

function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}
