/**
 * Patterns as Redis has them: `*`, `?`, `[abc]`, `[^a-z]`, `\x`. The match goes back to the last `*` alone, which is
 * enough, so that no pattern takes more than pattern × key steps.
 */
const STAR = 42
const QUESTION = 63
const OPEN = 91
const CLOSE = 93
const BACKSLASH = 92
const CARET = 94
const DASH = 45

export const matches = (pattern: Uint8Array, text: Uint8Array): boolean => {
  // Redis has it so: `*` does not match the channel without a name.
  if (text.length === 0) return pattern.length === 0
  let p = 0
  let t = 0
  let starAt = -1
  let starText = 0
  for (;;) {
    if (p < pattern.length && pattern[p] === STAR) {
      while (p < pattern.length && pattern[p] === STAR) p++
      if (p === pattern.length) return true
      starAt = p
      starText = t
      continue
    }
    if (t === text.length) return p === pattern.length
    const next = p < pattern.length ? one(pattern, p, text[t]!) : -1
    if (next >= 0) {
      p = next
      t++
    } else if (starAt >= 0) {
      p = starAt
      t = ++starText
    } else return false
  }
}

/** Where the pattern goes on behind the one element at `p`, or -1 if that does not match the character. */
const one = (pattern: Uint8Array, p: number, character: number): number => {
  const code = pattern[p]!
  if (code === QUESTION) return p + 1
  if (code === OPEN) return inClass(pattern, p + 1, character)
  if (code === BACKSLASH && p + 1 < pattern.length) return pattern[p + 1] === character ? p + 2 : -1
  return code === character ? p + 1 : -1
}

const inClass = (pattern: Uint8Array, start: number, character: number): number => {
  let p = start
  const negated = pattern[p] === CARET
  if (negated) p++
  let found = false
  for (;;) {
    // A class without its end reaches to the end of the pattern.
    if (p >= pattern.length) break
    if (pattern[p] === BACKSLASH && p + 1 < pattern.length) {
      p++
      if (pattern[p] === character) found = true
    } else if (pattern[p] === CLOSE) {
      p++
      break
    } else if (pattern[p + 1] === DASH && p + 2 < pattern.length) {
      const a = pattern[p]!
      const b = pattern[p + 2]!
      if (character >= Math.min(a, b) && character <= Math.max(a, b)) found = true
      p += 2
    } else if (pattern[p] === character) found = true
    p++
  }
  return found !== negated ? p : -1
}

/** The bytes with which every match begins. */
export const literalPrefix = (pattern: Uint8Array): Uint8Array => {
  let end = 0
  while (end < pattern.length && ![STAR, QUESTION, OPEN, BACKSLASH].includes(pattern[end]!)) end++
  return pattern.slice(0, end)
}
