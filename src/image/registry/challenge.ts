/** One challenge of a WWW-Authenticate header (RFC 9110 11.6.1): scheme in lower case, parameters by lower-case name. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const schemePattern = new RegExp(`\\s*,*\\s*(${token})(?=\\s|,|$)(?!\\s*=)`, 'y');
const parameterPattern = new RegExp(`\\s*,*\\s*(${token})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${token}))`, 'y');

/** Parses a header value; stops at the first thing that it does not understand. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  for (let at = 0; at < header.length;) {
    schemePattern.lastIndex = at;
    const scheme = schemePattern.exec(header);
    if (!scheme) break;
    at = schemePattern.lastIndex;
    const parameters: Record<string, string> = {};
    for (;;) {
      parameterPattern.lastIndex = at;
      const parameter = parameterPattern.exec(header);
      if (!parameter) break;
      at = parameterPattern.lastIndex;
      const [, name, quoted, plain] = parameter;
      parameters[name!.toLowerCase()] = quoted?.replaceAll(/\\(.)/g, '$1') ?? plain!;
    }
    challenges.push({ scheme: scheme[1]!.toLowerCase(), parameters });
  }
  return challenges;
}
