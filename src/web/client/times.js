/** Times in the viewer's zone. */

const today = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const earlier = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const relative = new Intl.RelativeTimeFormat(undefined, { style: 'narrow' });

/** The answer may have been made a second before it was sent, and have travelled for a while. */
const TOLERANCE_MS = 2_000;
/** How far the server's clock is ahead of ours, which may be wrong: "3 minutes ago" is by the clock that made the times. */
let aheadMs = 0;

/** @param {string | undefined} serverTime `data-now` of what the server sent @param {number} [receivedAt] by our own clock */
export function setServerTime(serverTime, receivedAt = Date.now()) {
  const ahead = Date.parse(serverTime ?? '') - receivedAt;
  if (Math.abs(ahead - aheadMs) > TOLERANCE_MS) aheadMs = ahead;
}

/** @param {ParentNode} root */
export function showTimes(root) {
  for (const time of root.querySelectorAll('time')) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) time.textContent = 'ago' in time.dataset ? ago(at) : clock(at);
  }
}

function now() {
  return Date.now() + aheadMs;
}

/** @param {Date} at */
function clock(at) {
  return (at.toDateString() === new Date(now()).toDateString() ? today : earlier).format(at);
}

/** @param {Date} at */
function ago(at) {
  const seconds = Math.max(0, Math.round((now() - at.getTime()) / 1000));
  if (seconds < 90) return relative.format(-seconds, 'second');
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return relative.format(-minutes, 'minute');
  const hours = Math.round(minutes / 60);
  return hours < 36 ? relative.format(-hours, 'hour') : relative.format(-Math.round(hours / 24), 'day');
}
