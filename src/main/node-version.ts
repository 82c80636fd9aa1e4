/** Older versions of node:sqlite do not bind `?1`: every store call would fail, and nothing would ever be delivered. */
const MINIMUM = { major: 24, minor: 7 };

/** The message for anyone who starts the program on an older Node, about which npm only warns; otherwise undefined. */
export function nodeVersionProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > MINIMUM.major || (major === MINIMUM.major && minor >= MINIMUM.minor)) return undefined;
  return `Cannot run on Node ${version}: Node ${MINIMUM.major}.${MINIMUM.minor} or later is required`;
}
