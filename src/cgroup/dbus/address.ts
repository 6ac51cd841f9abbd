/**
 * The unix socket paths in a D-Bus address list such as `unix:path=/run/user/1000/bus,guid=…;unix:abstract=…`, in order;
 * an abstract one begins with NUL. Other transports are left out. D-Bus specification, "Server Addresses".
 */
export function unixPaths(addresses: string): string[] {
  const paths: string[] = [];
  for (const address of addresses.split(';')) {
    const [transport, parameters = ''] = address.split(':', 2) as [string, string?];
    if (transport !== 'unix') continue;
    for (const parameter of parameters.split(',')) {
      const [key, value = ''] = parameter.split('=', 2) as [string, string?];
      if (key === 'path') paths.push(unescape(value));
      if (key === 'abstract') paths.push(`\0${unescape(value)}`);
    }
  }
  return paths;
}

function unescape(value: string): string {
  const bytes = value.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
