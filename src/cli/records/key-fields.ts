/**
 * `--key`: which fields of an object, or columns of a CSV file, make the key of its record. One field is the key; of
 * several, with tuple keys, an array, else their texts with a separator between them. The whole object is the value.
 */
import { type KeyEncoding, keyFromPlain } from '../key-text.ts'
import { TextError, textToBytes } from '../text.ts'

export interface KeyFields {
  readonly names: readonly string[]
  /** Between the texts of several. */
  readonly separator: string
}

/** `fields`: in their order, each as JSON has it, and as it is written. */
export function keyOfFields(
  { names, separator }: KeyFields,
  fields: readonly { plain: unknown; text: string }[],
  encoding: KeyEncoding,
): Uint8Array {
  if (encoding === 'tuple')
    return keyFromPlain(fields.length === 1 ? fields[0]!.plain : fields.map(({ plain }) => plain))
  const texts = fields.map(({ plain, text }, i) => {
    // A number is the text that it is written as: digits that JavaScript does not have stay.
    if (typeof plain === 'string') return plain
    if (typeof plain === 'number') return text
    throw new TextError(`"${names[i]}" is neither a string nor a number, so it makes no key`)
  })
  if (texts.some(text => text === '')) throw new TextError(`"${names[texts.indexOf('')]}" is empty, so it makes no key`)
  return textToBytes(texts.join(separator))
}
