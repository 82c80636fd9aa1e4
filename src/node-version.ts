/** Below it node:sqlite does not bind `?1`: the store would refuse each call, and nothing would ever be told. */
const OLDEST = { major: 24, minor: 7 };

/** What to say to whoever starts the program on an older Node, which npm only warns of. */
export function tooOld(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor)) return undefined;
  return `Cannot run on Node ${version}: Node ${OLDEST.major}.${OLDEST.minor} or later is needed`;
}
