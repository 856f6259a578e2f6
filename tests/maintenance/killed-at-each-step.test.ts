/**
 * backup with keep, restore and convert, killed at each single operation on the files: what is left is whole (rules F1 to F3
 * and M1 to M4).
 */
import { expect, test } from 'vitest'
import { convert, type File, memoryStorage, open, restore, type Storage } from '../../src/index.ts'
import { type CrashPolicy, FaultDisk } from '../../src/testing/fault.ts'
import { expectVerified } from '../support/database.ts'

class Killed extends Error {}

/** A storage in memory for a process that ends at its operation number `most`: nothing that it does later happens. */
const mortal = (inner: Storage, most: number) => {
  let count = 0
  const held: { release(): void }[] = []
  const act = (): void => {
    if (count >= most) throw new Killed()
    count++
  }
  const acting = <T extends object>(target: T, names: readonly (keyof T)[]): T =>
    new Proxy(target, {
      get(_, name) {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => {
          if (names.includes(name as keyof T)) act()
          return value.apply(target, args)
        }
      },
    })
  const files = acting(inner, ['rename', 'remove', 'makeDirectory', 'removeDirectory', 'syncDirectory'])
  const storage: Storage = Object.assign(Object.create(files), {
    open(path: string, how: Parameters<Storage['open']>[1]) {
      if (how?.create) act()
      return acting<File>(inner.open(path, how), ['write', 'writeMany', 'truncate', 'sync', 'syncAsync'])
    },
    lock(path: string) {
      act()
      const lock = inner.lock(path)
      held.push(lock)
      return lock
    },
  })
  return {
    storage,
    get count() {
      return count
    },
    /** The process is gone, and its locks with it. */
    end: () => {
      for (const lock of held) lock.release()
    },
  }
}

/** Where the files lie, and what the next process may find of them. */
interface Place {
  readonly storage: Storage
  after(): Storage[]
}

/** The process ends, and the system goes on. */
const killed = (): Place => {
  const storage = memoryStorage()
  return { storage, after: () => [storage] }
}

/** The power fails: of what was not synced nothing is left, or a part, or all of it. */
const withoutPower = (): Place => {
  const disk = new FaultDisk({ seed: 7 })
  const policies: CrashPolicy[] = ['none', 'prefix', 'holes']
  return { storage: disk.storage, after: () => policies.map(policy => disk.crash(policy).storage) }
}

/** Runs `work` to its end with each number of operations, until there are enough; `check` looks at what is left. */
const atEachStep = async (
  place: () => Place,
  prepare: (storage: Storage) => Promise<unknown>,
  work: (storage: Storage) => Promise<unknown>,
  check: (storage: Storage, done: boolean) => Promise<unknown>,
  stride = 1,
): Promise<number> => {
  for (let most = 0; ; most += stride) {
    const { storage, after } = place()
    await prepare(storage)
    const process = mortal(storage, most)
    let done = true
    try {
      await work(process.storage)
    } catch (error) {
      // What stops a handle wraps the kill.
      if (process.count < most) throw error
      done = false
    }
    process.end()
    try {
      for (const left of after()) await check(left, done)
    } catch (error) {
      if (error instanceof Error) error.message = `after ${most} operations: ${error.message}`
      throw error
    }
    if (done) return most
  }
}

const places = [
  ['killed', killed],
  ['without power', withoutPower],
] as const

const options = (storage: Storage) => ({ storage, logSegmentBytes: 131_072, cacheBytes: 65_536 })

const valueIn = async (storage: Storage, path: string): Promise<string | undefined> => {
  const db = open(path, { ...options(storage), createIfMissing: false })
  const value = db.get('a')
  await expectVerified(db, 1)
  db.close()
  return value
}

test.each(places)(
  '%s: restore: the old one or the restored one, or an error that says where both are',
  async (_, place) => {
    let between = 0
    const steps = await atEachStep(
      place,
      async storage => {
        const db = open('db', options(storage))
        db.put('a', 'old')
        await db.backup('copy')
        db.put('a', 'new')
        db.close()
      },
      storage => restore('copy', 'db', { storage, overwrite: true }),
      async (storage, done) => {
        if (storage.kind('db') === 'none') {
          between++
          expect(() => open('db', { storage })).toThrow('was cut off')
          expect(await valueIn(storage, 'db.replaced')).toBe('new')
          expect(await valueIn(storage, 'db.restoring')).toBe('old')
        } else if (done) expect(await valueIn(storage, 'db')).toBe('old')
        else expect(['old', 'new']).toContain(await valueIn(storage, 'db'))
        expect(await valueIn(storage, 'copy')).toBe('old')
        // The next one goes on, and leaves nothing behind.
        await restore('copy', 'db', { storage, overwrite: true })
        expect(await valueIn(storage, 'db')).toBe('old')
        expect(storage.list('.').sort()).toEqual(['copy', 'db'])
      },
    )
    expect(steps).toBeGreaterThan(20)
    expect(between).toBeGreaterThan(0)
  },
)

test.each(places)(
  '%s: backup with keep: at least as many whole ones as before, and leftovers go with the next',
  async (_, place) => {
    const prepare = async (storage: Storage): Promise<void> => {
      const db = open('db', options(storage))
      db.put('a', '1')
      await db.backup('backups', { keep: 2 })
      await db.backup('backups', { keep: 2 })
      db.close()
    }
    const steps = await atEachStep(
      place,
      prepare,
      async storage => {
        // The database itself lies on a disk of its own here: it is the backup that is killed.
        const db = open('db', options(storage))
        try {
          await db.backup('backups', { keep: 2, verify: true })
        } finally {
          try {
            db.close()
          } catch {
            // It is gone.
          }
        }
      },
      async storage => {
        const whole = storage.list('backups').filter(name => !name.endsWith('.partial'))
        expect(whole.length).toBeGreaterThanOrEqual(2)
        for (const name of whole) expect(await valueIn(storage, `backups/${name}`)).toBe('1')
        const db = open('db', options(storage))
        const { kept } = await db.backup('backups', { keep: 2 })
        db.close()
        expect(storage.list('backups').sort()).toEqual([...kept!].sort())
        expect(kept).toHaveLength(2)
      },
    )
    expect(steps).toBeGreaterThan(20)
  },
)

const conversions = [
  ['block size', { blockSize: 8192 }, { blockSize: 8192, valueEncoding: 'utf8' }],
  ['value encoding', { valueEncoding: 'json' }, { blockSize: 4096, valueEncoding: 'json' }],
] as const

test.each(places.flatMap(([how, place]) => conversions.map(([what, ...rest]) => [how, what, place, ...rest] as const)))(
  '%s: convert to another %s: the old one or the new one, or an error that says where both are',
  async (_, __, place, change, after) => {
    const before = { blockSize: 4096, valueEncoding: 'utf8' }
    const stateOf = async (storage: Storage, path: string): Promise<object> => {
      const db = open<unknown, string>(path, {
        ...options(storage),
        createIfMissing: false,
        ...({ valueEncoding: 'binary', storedEncoding: 'ignore' } as const),
      })
      const { blockSize } = db.stats()
      const { valueEncoding } = db.storedEncodings
      expect(Buffer.from(db.get('a') as Uint8Array).toString()).toBe(valueEncoding === 'json' ? '"1"' : '1')
      await expectVerified(db, 1)
      db.close()
      return { blockSize, valueEncoding }
    }
    const work = (storage: Storage): Promise<void> => convert('db', { ...change, storage, cacheBytes: 131_072 })
    const steps = await atEachStep(
      place,
      async storage => {
        const db = open('db', options(storage))
        db.put('a', '1')
        db.close()
      },
      work,
      async (storage, done) => {
        if (storage.kind('db') === 'none') {
          expect(await stateOf(storage, 'db.replaced')).toEqual(before)
          expect(await stateOf(storage, 'db.restoring')).toEqual(after)
          storage.rename('db.replaced', 'db')
        }
        const state = await stateOf(storage, 'db')
        if (done) expect(state).toEqual(after)
        else expect([before, after]).toContainEqual(state)
        await work(storage)
        expect(await stateOf(storage, 'db')).toEqual(after)
      },
      5,
    )
    expect(steps).toBeGreaterThan(20)
  },
)
