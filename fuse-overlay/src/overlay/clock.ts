/** The present time, for what changes now: one object, which `tick` sets and returns. */
const clock = { sec: 0, nsec: 0 };

// Date.now follows the machine's clock but has milliseconds only; performance.now is finer but never set. So the one gives the
// base of the other, again whenever they are apart.
let base = performance.timeOrigin;

export function tick(): Readonly<typeof clock> {
  const elapsed = performance.now();
  const ahead = base + elapsed - Date.now();
  if (ahead < 0 || ahead > 20) base -= ahead;
  const now = base + elapsed;
  clock.sec = Math.floor(now / 1000);
  clock.nsec = Math.floor((now - clock.sec * 1000) * 1e6);
  return clock;
}
