import { isIP } from 'node:net';
import { InvalidInput } from '../invalid-input.ts';

/** Reads `--add-host NAME:ADDRESS` (or `NAME=ADDRESS`); the address may be `host-gateway`, the host as containers see it. */
export function parseAddHost(text: string): { name: string; address: string } {
  const [, name, rest] = /^([^:=]+)[:=](.+)$/.exec(text) ?? [];
  if (name === undefined || rest === undefined) throw new InvalidInput(`bad format for add-host: "${text}"`);
  const address = /^\[(.*)\]$/.exec(rest)?.[1] ?? rest;
  if (address !== 'host-gateway' && isIP(address) === 0) {
    throw new InvalidInput(`invalid IP address in add-host: "${address}"`);
  }
  return { name, address };
}
