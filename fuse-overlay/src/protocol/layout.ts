/** Layouts of C structs: a field's offset follows from the order and alignment of the fields, as in C. */

const primitives = {
  u16: { size: 2, align: 2, c: 'uint16_t' },
  u32: { size: 4, align: 4, c: 'uint32_t' },
  i32: { size: 4, align: 4, c: 'int32_t' },
  u64: { size: 8, align: 8, c: 'uint64_t' },
  i64: { size: 8, align: 8, c: 'int64_t' },
} as const;

type Primitive = keyof typeof primitives;
/** A primitive, an array of one, or a struct within a struct. */
type Field = Primitive | readonly [Primitive, number] | Struct<Record<string, Field>>;

export interface Struct<Fields extends Record<string, Field>> {
  /** Its name in C. */
  readonly name: string;
  readonly size: number;
  readonly align: number;
  readonly fields: Fields;
  /** Offset of each field in bytes. */
  readonly at: { readonly [Key in keyof Fields]: number };
}

function measure(field: Field): { size: number; align: number } {
  if (typeof field === 'string') return primitives[field];
  if ('fields' in field) return field;
  const { size, align } = primitives[field[0]];
  return { size: size * field[1], align };
}

export function struct<const Fields extends Record<string, Field>>(name: string, fields: Fields): Struct<Fields> {
  const at: Record<string, number> = {};
  let end = 0;
  let structAlign = 1;
  for (const [key, field] of Object.entries(fields)) {
    const { size, align } = measure(field);
    end = Math.ceil(end / align) * align;
    at[key] = end;
    end += size;
    structAlign = Math.max(structAlign, align);
  }
  const size = Math.ceil(end / structAlign) * structAlign;
  return { name, size, align: structAlign, fields, at: at as Struct<Fields>['at'] };
}
