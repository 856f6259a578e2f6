/** The feed of committed changes, over WATCHRANGE on a connection of its own. */

import { XenonError } from '../errors.ts'
import type { Change, GivenRange, WatchOptions } from '../types.ts'
import { checkedWatch, Watcher } from '../values/watcher.ts'
import type { Connections } from './connections.ts'
import { ConnectionError, ServerError } from './errors.ts'
import { Link } from './link.ts'
import { lowerBound, upperBound } from './range.ts'
import type { Reply } from './reader.ts'
import type { Place } from './transaction.ts'
import { bytesOf, numberOf, type Values } from './values.ts'

/** Resolves once the server watches. A lost connection ends the feed with an error: changes may have been missed. */
export async function watchOver<V, K>(
  { options, watches }: Connections,
  codec: Values<V>,
  place: Place,
  range: GivenRange<K> | undefined,
  given: WatchOptions,
): Promise<Watcher<V, K>> {
  const { range: resolved, buffer: most, signal } = checkedWatch(range, given, codec.keys)
  const link = new Link(
    { ...options, reconnect: false, pushesLockWaits: false },
    items => take(items),
    error => {
      watches.delete(link)
      if (error === undefined) watcher.end()
      else watcher.fail(new ConnectionError(`the watch has ended: ${error.message}`, true, error))
    },
  )
  const watcher = new Watcher<V, K>(most, signal, () => link.destroy())
  const take = (items: readonly Reply[]): void => {
    let change: ReturnType<typeof changeOf<V, K>>
    try {
      change = changeOf<V, K>(items, codec)
    } catch (error) {
      watcher.fail(error)
      return
    }
    if (change === 'overflow')
      watcher.fail(new XenonError('XENON_WATCH_OVERFLOW', 'changes came faster than they were read'))
    else if (change === 'end') watcher.end()
    else if (change !== undefined) watcher.add(change)
  }
  watches.add(link)
  const command = [...place, 'WATCHRANGE', lowerBound(resolved.lower), upperBound(resolved.upper)]
  const [reply] = await link
    .open()
    .then(() => link.send([command], false))
    .catch(error => {
      signal?.throwIfAborted()
      throw error
    })
  if (reply instanceof ServerError) {
    watcher.end()
    throw reply
  }
  return watcher
}

/** `["change", "put", key, value, commit]`, `["change", "delete", key, commit]`, `["change", "overflow" | "end"]`. */
function changeOf<V, K>(items: readonly Reply[], codec: Values<V>): Change<V, K> | 'overflow' | 'end' | undefined {
  const [name, type, ...rest] = items
  if (String(name) !== 'change') return undefined
  if (String(type) === 'overflow') return 'overflow'
  if (String(type) === 'end') return 'end'
  const key = codec.decodeKey<K>(rest[0]!)
  if (String(type) === 'delete') return { type: 'delete', key, commit: numberOf(rest[1]!) }
  return {
    type: 'put',
    key,
    value: codec.decode(bytesOf(rest[1]!), bytesOf(rest[0]!)) as V,
    commit: numberOf(rest[2]!),
  }
}
