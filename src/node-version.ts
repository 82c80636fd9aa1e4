/** Older versions of node:sqlite do not bind `?1`: every store call would fail, and nothing would ever be delivered. */
const OLDEST = { major: 24, minor: 7 };

/** The message for anyone who starts the program on an older Node, about which npm only warns; otherwise undefined. */
export function tooOld(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor)) return undefined;
  return `Cannot run on Node ${version}: Node ${OLDEST.major}.${OLDEST.minor} or later is required`;
}
