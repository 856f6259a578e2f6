/** How KEYS and SCAN go through the keys. */
import { literalPrefix, matches } from '../protocol/glob.ts'
import { bytesAt, isWord, textAt } from '../protocol/request.ts'
import { integerAt } from './arguments.ts'
import type { Handler } from './caller.ts'
import { CommandError, SYNTAX } from './errors.ts'

/** Keys looked at in one step of KEYS, and at most for one SCAN. */
const STEP = 4096
const MOST = 65536

export const listKeys: Handler = ({ keys, out }, request) => {
  const pattern = bytesAt(request, 1)
  const prefix = literalPrefix(pattern)
  const found: Uint8Array[] = []
  const take = (key: Uint8Array): void => {
    if (matches(pattern, key)) found.push(key)
  }
  if (keys.finds(prefix)) {
    for (const key of keys.rangeKeys({ prefix: prefix.slice(0, keys.maxKeyBytes) })) take(key)
  } else {
    for (let place = 0; ; ) {
      const { keys: some, next } = keys.records.scan(place, STEP)
      some.forEach(take)
      if (next === 0) break
      place = next
    }
  }
  out.array(found.length)
  for (const key of found) out.bulk(key)
}

export const scan: Handler = ({ keys, out }, request) => {
  const cursor = textAt(request, 1)
  if (!/^[0-9]{0,20}$/.test(cursor) || BigInt(cursor) >= 2n ** 64n) throw new CommandError('ERR invalid cursor')
  let pattern: Uint8Array | undefined
  let least = 10
  let strings = true
  for (let i = 2; i < request.count; i += 2) {
    if (i + 1 === request.count) throw new CommandError(SYNTAX)
    if (isWord(request, i, 'count')) {
      const count = integerAt(request, i + 1)
      if (count < 1n) throw new CommandError(SYNTAX)
      least = Number(count > BigInt(MOST) ? MOST : count)
    } else if (isWord(request, i, 'match')) pattern = bytesAt(request, i + 1)
    else if (isWord(request, i, 'type')) strings = isWord(request, i + 1, 'string')
    else throw new CommandError(SYNTAX)
  }
  const place = Number(cursor)
  const { keys: found, next } =
    place > Number.MAX_SAFE_INTEGER ? { keys: [], next: 0 } : keys.records.scan(place, least)
  const wanted = strings ? found.filter(key => pattern === undefined || matches(pattern, key)) : []
  out.array(2)
  out.text(String(next))
  out.array(wanted.length)
  for (const key of wanted) out.bulk(key)
}
