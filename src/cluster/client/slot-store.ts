/** All records behind one hash tag: they lie in one slot, so everything that a store can do is done there as a whole. */
import { Connections } from '../../client/connections.ts'
import type { LinkOptions } from '../../client/link-options.ts'
import { ClientStore } from '../../client/store.ts'
import type { Values } from '../../client/values.ts'
import { XenonError } from '../../errors.ts'
import { showAs } from '../../runtime/inspecting.ts'
import type { GivenRange, WaitOptions, WatchOptions } from '../../types.ts'
import { checkedWatch } from '../../values/watcher.ts'
import { LeaderPool, type Router } from './router.ts'

export const noSubs = (): XenonError =>
  new XenonError('XENON_NOT_SUPPORTED', 'there are no sub-databases in a cluster; a hash tag keeps records together')

export const noIndexes = (): XenonError => new XenonError('XENON_NOT_SUPPORTED', 'a cluster keeps no secondary indexes')

export const noFeed = (): XenonError =>
  new XenonError('XENON_NOT_SUPPORTED', 'the changes of a cluster are those of its logs: changes() of xenondb/cluster')

/** From `slot` of a client of a cluster. */
export class SlotStore<V = string, K = string> extends ClientStore<V, K> {
  static {
    showAs('SlotStore', SlotStore, ({ tag }) => ({ tag }))
  }

  /** What stands in the hash tag. */
  readonly tag: string
  private readonly router: Router

  /** @internal */
  constructor(router: Router, slot: number, tag: string, options: LinkOptions, codec: Values<V>) {
    const pool = new LeaderPool(router, slot)
    super(new Connections(options, 0, undefined, { link: router.senderOf(slot), pool, readers: pool }), codec, [])
    this.tag = tag
    this.router = router
  }

  override count(range?: GivenRange<K>): Promise<number> {
    return super.count(range ?? {})
  }

  /** Removes all records behind the tag, or those of a range of them, as one transaction. */
  override clear(range?: GivenRange<K>, options?: WaitOptions): Promise<void> {
    return super.clear(range ?? {}, options)
  }

  /** @throws XenonError `XENON_NOT_SUPPORTED`: the changes of a cluster are those of its logs (`changes`) */
  override async watch(range?: GivenRange<K>, options: WatchOptions = {}): Promise<never> {
    checkedWatch(range, options, this.codec.keys).signal?.throwIfAborted()
    throw noFeed()
  }

  /** @throws XenonError `XENON_NOT_SUPPORTED`: there are no sub-databases in a cluster */
  override sub(_name: string): Promise<never> {
    return Promise.reject(noSubs())
  }

  /** @throws XenonError `XENON_NOT_SUPPORTED` */
  override subs(): Promise<never> {
    return Promise.reject(noSubs())
  }

  /** @throws XenonError `XENON_NOT_SUPPORTED` */
  override drop(_name: string): Promise<never> {
    return Promise.reject(noSubs())
  }

  /** @throws XenonError `XENON_NOT_SUPPORTED` */
  override index(_name: string): never {
    throw noIndexes()
  }

  /** What was answered is in the log already. */
  override async flush(): Promise<void> {}

  override get closed(): boolean {
    return this.router.topology.closed
  }

  /** Does nothing: the client has the connections. */
  async close(): Promise<void> {}
}
