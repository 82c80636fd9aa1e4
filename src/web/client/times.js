/** Times in the viewer's zone. */

const today = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const earlier = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const relative = new Intl.RelativeTimeFormat(undefined, { style: 'narrow' });

/** @param {ParentNode} root */
export function showTimes(root) {
  for (const time of root.querySelectorAll('time')) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) time.textContent = 'ago' in time.dataset ? ago(at) : clock(at);
  }
}

/** @param {Date} at */
function clock(at) {
  return (at.toDateString() === new Date().toDateString() ? today : earlier).format(at);
}

/** @param {Date} at */
function ago(at) {
  const seconds = Math.max(0, Math.round((Date.now() - at.getTime()) / 1000));
  if (seconds < 90) return relative.format(-seconds, 'second');
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return relative.format(-minutes, 'minute');
  const hours = Math.round(minutes / 60);
  return hours < 36 ? relative.format(-hours, 'hour') : relative.format(-Math.round(hours / 24), 'day');
}
