import { InvalidInput } from '../invalid-input.ts';

/** Reads `--expose PORT[-PORT][/tcp|/udp]`. */
export function parseExpose(text: string): { containerPort: number; protocol: 'tcp' | 'udp' }[] {
  const [, firstText, lastText, protocol = 'tcp'] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp))?$/i.exec(text) ?? [];
  const first = Number(firstText);
  const last = Number(lastText ?? firstText);
  if (!(first >= 1 && first <= last && last <= 65535))
    throw new InvalidInput(`invalid range format for --expose: ${text}`);
  return Array.from({ length: last - first + 1 }, (_, i) => ({
    containerPort: first + i,
    protocol: protocol.toLowerCase() as 'tcp' | 'udp',
  }));
}
