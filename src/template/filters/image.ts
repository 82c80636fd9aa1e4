/** The filter for container images: https://pkg.go.dev/github.com/distribution/reference */
import type { FilterDefinition } from '../filter.ts';

const PARTS = ['registry', 'repository', 'tag', 'digest'] as const;
type Part = (typeof PARTS)[number];

export const image: FilterDefinition = {
  name: 'image',
  args: '"tag"',
  summary:
    'One part of an image: `"registry"` (`docker.io` if none is written), `"repository"`, `"tag"` or `"digest"`; nothing if the image has no such part.',
  examples: [
    { template: '{{ "ghcr.io/acme/web:1.5.0" | image: "registry" }}', result: 'ghcr.io' },
    { template: '{{ "ghcr.io/acme/web:1.5.0" | image: "repository" }}', result: 'acme/web' },
    { template: '{{ "nginx:1.27" | image: "tag" }}', result: '1.27' },
    { template: '{{ "localhost:5000/web@sha256:9f86d081" | image: "digest" }}', result: 'sha256:9f86d081' },
    { template: '{{ "nginx" | image: "tag" | default: "latest" }}', result: 'latest' },
  ],
  check: ([part]) => {
    if (!isPart(part)) throw new Error(`the part of image must be one of ${PARTS.join(', ')}`);
  },
  apply(value, [part]) {
    return typeof value === 'string' && isPart(part) ? partsOf(value)[part] : undefined;
  },
};

function isPart(part: unknown): part is Part {
  return (PARTS as readonly unknown[]).includes(part);
}

/** The part before the first slash is a registry only if it looks like a host: it has a dot or a port, or is `localhost`. */
function partsOf(reference: string): Readonly<Record<Part, string | undefined>> {
  const [named = '', digest] = reference.split('@', 2);
  const slash = named.indexOf('/');
  const first = named.slice(0, Math.max(0, slash));
  const hasRegistry = first === 'localhost' || /[.:]/.test(first);
  const path = hasRegistry ? named.slice(slash + 1) : named;
  const colon = path.lastIndexOf(':');
  return {
    registry: hasRegistry ? first : 'docker.io',
    repository: colon === -1 ? path : path.slice(0, colon),
    tag: colon === -1 ? undefined : path.slice(colon + 1),
    digest,
  };
}
