/** sysctl.d(5): what stands first, a dot or a slash, separates; the other one is part of a name. As a path below /proc/sys. */
export function sysctlPath(name: string): string {
  const dot = name.indexOf('.');
  const slash = name.indexOf('/');
  if (slash !== -1 && (dot === -1 || slash < dot)) return name;
  return name.replace(/[./]/g, (sign) => (sign === '.' ? '/' : '.'));
}
