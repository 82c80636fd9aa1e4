/** The version, from package.json, which lies above both the sources and dist/. */
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';

export const VERSION: string = readVersion();

function readVersion(): string {
  const file = findPackageJSON(import.meta.url);
  if (file === undefined) return 'unknown';
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version?: string };
  return version ?? 'unknown';
}

/** `0.1.0 (linux/x64) node 24.21.0` */
export function versionText(): string {
  return `${VERSION} (${process.platform}/${process.arch}) node ${process.versions.node}`;
}
