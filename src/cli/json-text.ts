/**
 * JSON as the text it is. Parsing it and writing it again would change numbers that JavaScript does not have
 * (`3791411052119578828`, `1e400`, `-0`, `1.0`), escapes, and members that stand twice. Pure; for text that is JSON.
 */

const QUOTE = 34
const BACKSLASH = 92

/** The same without the white space between its parts: one line. */
export function compactJson(text: string): string {
  let compact = ''
  let from = 0
  for (let at = 0; at < text.length; ) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = stringEnd(text, at)
    else if (isSpace(code)) {
      compact += text.slice(from, at)
      from = at = afterSpace(text, at)
    } else at++
  }
  return from === 0 ? text : compact + text.slice(from)
}

/** The same with a line for each part, two spaces deeper for what lies inside another. */
export function prettyJson(text: string): string {
  const compact = compactJson(text)
  let pretty = ''
  let depth = 0
  const newLine = (): string => `\n${'  '.repeat(depth)}`
  for (let at = 0; at < compact.length; ) {
    const char = compact[at]!
    if (char === '"') {
      const end = stringEnd(compact, at)
      pretty += compact.slice(at, end)
      at = end
      continue
    }
    const isEmpty = compact[at + 1] === '}' || compact[at + 1] === ']'
    if (char === '{' || char === '[') {
      if (isEmpty) {
        pretty += compact.slice(at, at + 2)
        at += 2
        continue
      }
      depth++
      pretty += `${char}${newLine()}`
    } else if (char === '}' || char === ']') {
      depth--
      pretty += `${newLine()}${char}`
    } else if (char === ',') pretty += `,${newLine()}`
    else pretty += char === ':' ? ': ' : char
    at++
  }
  return pretty
}

/**
 * The text of a member's value in an object, or undefined; of members of the same name, the last one, as `JSON.parse`
 * has it.
 */
export function memberText(object: string, member: string): string | undefined {
  let found: string | undefined
  let at = afterSpace(object, object.indexOf('{') + 1)
  while (object.charCodeAt(at) === QUOTE) {
    const nameEnd = stringEnd(object, at)
    const name = JSON.parse(object.slice(at, nameEnd)) as string
    const start = object.indexOf(':', nameEnd) + 1
    const end = valueEnd(object, start)
    if (name === member) found = object.slice(start, end)
    at = afterSpace(object, end + 1)
  }
  return found
}

/** Position of the comma or bracket behind a value. */
function valueEnd(text: string, start: number): number {
  let depth = 0
  for (let at = start; at < text.length; ) {
    const char = text[at]!
    if (char === '"') {
      at = stringEnd(text, at)
      continue
    }
    if (depth === 0 && (char === ',' || char === '}')) return at
    if (char === '{' || char === '[') depth++
    else if (char === '}' || char === ']') depth--
    at++
  }
  return text.length
}

/** Position behind the string that begins at `start`. */
function stringEnd(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let slashes = 0
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++
    if (slashes % 2 === 0) return at + 1
  }
  return text.length
}

function afterSpace(text: string, start: number): number {
  let at = start
  while (isSpace(text.charCodeAt(at))) at++
  return at
}

const isSpace = (code: number): boolean => code === 32 || code === 10 || code === 13 || code === 9
