/** Marks: a transaction whose owner has gone before it answered the commit is known to the next one. */
import { expect, test } from 'vitest'
import { ConnectionError } from '../../src/client/errors.ts'
import { type AsyncStore, memoryStorage, open } from '../../src/index.ts'
import { Marks } from '../../src/owned/marks.ts'
import { Member, type Role, type Target } from '../../src/owned/member.ts'
import { SharedRun } from '../../src/owned/transact.ts'
import { expectCodeAsync } from '../support/errors.ts'

type Store = AsyncStore<string, string>

/** One whose owners are given, and are used one after the other. */
class Successors extends Member<string, string> {
  protected readonly owner = 'the owner'
  private readonly stores: Store[]

  constructor(stores: Store[], marks: Marks | undefined) {
    super((_: Role) => {}, marks)
    this.stores = stores
  }

  protected override async findOwner(): Promise<Target<string, string>> {
    const store = this.stores.shift()!
    return { role: 'follower', store, isLocal: false, isOver: false, async close() {} }
  }

  gone(): void {
    const { current } = this
    if (current !== undefined) current.isOver = true
    if (current !== undefined) this.lose(current)
  }

  override copierOf<T>(): (value: T) => T {
    return value => value
  }

  protected override stopLooking(): void {}
}

/** The database through an owner that dies when it has committed, or when it was about to. */
const dying = (db: Store, has: 'committed' | 'not committed', die: () => Error): Store =>
  Object.assign(Object.create(db) as Store, {
    sub: (...given: Parameters<Store['sub']>) => db.sub(...given),
    async transact(work: Parameters<Store['transact']>[0]) {
      if (has === 'committed') {
        await db.transact(work)
        throw die()
      }
      const tx = await db.begin()
      await work(tx)
      await tx.rollback()
      throw die()
    },
  })

for (const has of ['committed', 'not committed'] as const)
  for (const isMarked of [true, false])
    test(`a transaction that was ${has} when its owner died is done once ${isMarked ? 'with' : 'or in doubt without'} a mark`, async () => {
      const db = open('db', { storage: memoryStorage() })
      const store = db.async
      let fail: () => Error = () => new Error('not yet')
      const members = new Successors([dying(store, has, () => fail()), store], isMarked ? new Marks() : undefined)
      fail = () => {
        members.gone()
        return new ConnectionError('the connection was lost', true)
      }
      const place = {
        member: members as unknown as Member<unknown, unknown>,
        of: (target: Target<unknown, unknown>) => target.store as Store,
      }
      let runs = 0
      const run = new SharedRun<string, string, string>(
        place,
        async tx => {
          runs++
          const count = Number((await tx.get('count')) ?? 0) + 1
          await tx.put('count', `${count}`)
          return `counted ${count}`
        },
        {},
      ).run()
      if (isMarked) expect(await run).toBe('counted 1')
      else await expectCodeAsync(() => run, 'XENON_OWNER_LOST')
      expect(runs).toBe(isMarked && has === 'not committed' ? 2 : 1)
      expect(db.get('count')).toBe(isMarked || has === 'committed' ? '1' : undefined)
      await members.close()
      expect((await db.verify()).problems).toEqual([])
      db.close()
    })
