import { InvalidInput } from '../invalid-input.ts';

export interface Field {
  key: string;
  /** Absent where the field has no `=`. */
  value: string | undefined;
  /** The field as written. */
  field: string;
}

/** Splits `key=value,key,"key=a,b"` as RFC 4180 does a CSV record: a quoted field may hold commas, `""` is a quote. */
export function parseFields(text: string): Field[] {
  const fields: string[] = [];
  for (let rest = text, more = true; more;) {
    const quoted = /^"((?:[^"]|"")*)"(?=,|$)/.exec(rest);
    const plain = /^[^,"]*(?=,|$)/.exec(rest);
    const field = quoted ?? plain;
    if (field === null) throw new InvalidInput(`misplaced quote in '${text}'`);
    fields.push(quoted === null ? field[0] : quoted[1]!.replaceAll('""', '"'));
    more = rest.length > field[0].length;
    rest = rest.slice(field[0].length + 1);
  }
  return fields.map((field) => {
    const equals = field.indexOf('=');
    const key = (equals < 0 ? field : field.slice(0, equals)).trim().toLowerCase();
    return { key, value: equals < 0 ? undefined : field.slice(equals + 1), field };
  });
}
