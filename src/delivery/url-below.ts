/** The URL of `path` below `base`, whose own path and query stay: a base may be `https://grafana.example/grafana?orgId=2`. */
export function urlBelow(base: string, path: string): URL {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${path}`;
  return url;
}
