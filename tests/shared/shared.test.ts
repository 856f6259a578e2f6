/** A shared database whose owners change. */
import { spawn } from 'node:child_process'
import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { open, XenonError } from '../../src/index.ts'
import { openShared, type SharedOptions, type SharedStore } from '../../src/shared/index.ts'
import { type Child, pause, startChild } from '../support/child.ts'
import { withDirectory } from '../support/directory.ts'
import { expectCodeAsync, failureOf } from '../support/errors.ts'

/** Runs `body` with an owner and a follower, both of this process; the database must verify afterwards. */
const withTwo = (
  body: (owner: SharedStore, follower: SharedStore, directory: string) => Promise<void>,
): Promise<void> =>
  withDirectory(async directory => {
    const [owner, follower] = [await openShared(directory), await openShared(directory)]
    try {
      expect([owner.role, follower.role]).toEqual(['owner', 'follower'])
      await body(owner, follower, directory)
    } finally {
      await owner.close()
      await follower.close()
    }
    const db = open(directory)
    expect((await db.verify()).problems).toEqual([])
    db.close()
  })

describe('a shared database', () => {
  test('is seen alike by all, at once', () =>
    withTwo(async (owner, follower) => {
      await owner.put('a', '1')
      expect(await follower.get('a')).toBe('1')
      await follower.batch([
        { type: 'put', key: 'b', value: '2' },
        { type: 'delete', key: 'a' },
      ])
      expect(await owner.getMany(['a', 'b'])).toEqual([undefined, '2'])
      const changes = await follower.watch()
      await owner.put('c', '3')
      expect((await changes.next()).value).toMatchObject({ type: 'put', key: 'c', value: '3' })
      await changes.return()
    }))

  test('goes to another when the owner closes it, who says so; what waits goes on', () =>
    withTwo(async (owner, follower) => {
      const heard: string[] = []
      const on = (event: 'owner' | 'lost') => (): void => void heard.push(event)
      follower.on('owner', on('owner')).on('lost', on('lost'))
      const gone = on('lost')
      follower.on('lost', gone).off('lost', gone)
      const sub = await follower.sub<number>('numbers', { valueEncoding: 'json' })
      await sub.put('n', 1)
      await follower.put('a', '1')
      const closing = owner.close()
      await closing
      await pause(5)
      // Nobody knows an owner yet, or this one is it already.
      await Promise.all([follower.put('a', '2'), follower.put('a', '3'), sub.put('n', 2)])
      expect([await follower.get('a'), await sub.get('n')]).toEqual(['3', 2])
      expect(follower.role).toBe('owner')
      expect(heard).toEqual(['lost', 'owner'])
      expect(await follower.subs()).toEqual(['numbers'])
      expect(owner.closed).toBe(true)
      await expectCodeAsync(() => owner.get('a'), 'XENON_CLOSED')
    }))

  test('does not bring a sub-database back that was dropped, whoever is the owner by then', () =>
    withTwo(async (owner, follower) => {
      const kept = await follower.sub('kept')
      const inner = await (await follower.sub('outer')).sub('inner')
      const sub = await follower.sub('s')
      for (const each of [kept, inner, sub]) await each.put('a', '1')
      await owner.drop('s')
      await owner.drop('outer')
      const expectGone = async (): Promise<void> => {
        for (const each of [inner, sub]) {
          await expectCodeAsync(() => each.get('a'), 'XENON_NOT_FOUND')
          await expectCodeAsync(() => each.put('a', '2'), 'XENON_NOT_FOUND')
        }
        expect(await follower.subs()).toEqual(['kept'])
      }
      await expectGone()
      await owner.close()
      await expectGone()
      expect([follower.role, await kept.get('a')]).toEqual(['owner', '1'])
      await (await follower.sub('s')).put('a', '3')
      expect(await (await follower.sub('s')).get('a')).toBe('3')
    }))

  test('answers what has arrived before its owner closes', () =>
    withTwo(async (owner, follower) => {
      const puts = Array.from({ length: 100 }, (_, i) => follower.put(`k${i}`, 'x'))
      await follower.get('k0')
      await owner.close()
      expect(await Promise.all(puts)).toHaveLength(100)
      expect(await follower.count()).toBe(100)
    }))

  test('ends transactions with their owner, and transact runs again', () =>
    withTwo(async (owner, follower) => {
      await follower.put('n', '0')
      const tx = await follower.begin()
      await tx.put('other', '5')
      let runs = 0
      const counted = follower.transact(async inner => {
        runs++
        const n = Number(await inner.get('n'))
        if (runs === 1) await owner.close()
        await inner.put('n', `${n + 1}`)
        return runs
      })
      expect(await counted).toBe(2)
      expect(await follower.get('n')).toBe('1')
      expect(tx.ended).toBe(true)
      const failure = (await failureOf(() => tx.commit())) as XenonError
      expect(failure).toMatchObject({ code: 'XENON_OWNER_LOST', sent: false })
      expect(XenonError.is(failure, 'XENON_OWNER_LOST') && failure.sent).toBe(false)
    }))

  test('ends watches with their owner, but not with a sub-database that is dropped, nor the store', () =>
    withTwo(async (owner, follower) => {
      const sub = await follower.sub('s')
      const [lost, dropped] = [await follower.watch('n'), await sub.watch()]
      await owner.drop('s')
      expect(await dropped.next()).toEqual({ done: true, value: undefined })
      await owner.put('n1', '1')
      expect((await lost.next()).value).toMatchObject({ type: 'put', key: 'n1', value: '1' })
      await owner.close()
      expect(await failureOf(() => lost.next())).toMatchObject({ code: 'XENON_OWNER_LOST', sent: false })
      expect(await lost.next()).toEqual({ done: true, value: undefined })
      const own = await follower.watch()
      await follower.put('n2', '2')
      await follower.close()
      expect((await own.next()).value).toMatchObject({ key: 'n2' })
      expect(await own.next()).toEqual({ done: true, value: undefined })
    }))

  test('one transaction reaches its sub-databases', () =>
    withTwo(async (owner, follower) => {
      for (const store of [owner, follower]) {
        const sub = await store.sub('s')
        await store.transact(async tx => {
          await tx.put('a', '1')
          await tx.in(sub).put('a', '2')
        })
        const tx = await store.begin()
        await tx.in(sub).delete('a')
        await tx.rollback()
        expect([await store.get('a'), await sub.get('a')]).toEqual(['1', '2'])
      }
      const tx = await owner.begin()
      expect(() => tx.in(follower)).toThrow('in() takes a store of the same shared database')
      await tx.rollback()
    }))

  test('bytes stay the caller’s while a call waits for an owner', () =>
    withDirectory(async directory => {
      const options = { valueEncoding: 'binary', keyEncoding: 'binary' } as const
      const [owner, follower] = [await openShared(directory, options), await openShared(directory, options)]
      const closing = owner.close()
      const [key, value] = [new Uint8Array([1]), new Uint8Array([2])]
      await closing
      const put = follower.put(key, value)
      key[0] = 9
      value[0] = 9
      await put
      expect([...(await follower.get(new Uint8Array([1])))!]).toEqual([2])
      await follower.close()
    }))

  test('wants the same encodings of all', () =>
    withTwo(async (_owner, _follower, directory) => {
      await expectCodeAsync(() => openShared(directory, { valueEncoding: 'json' }), 'XENON_ENCODING')
      await expectCodeAsync(() => openShared(directory, { keyEncoding: 'tuple' }), 'XENON_ENCODING')
      const other = await openShared(directory, { valueEncoding: 'binary', storedEncoding: 'ignore' })
      await other.put('a', new Uint8Array([65]))
      await other.close()
      expect(await _owner.get('a')).toBe('A')
    }))

  test('cannot be shared while somebody has it open for himself, who is named', () =>
    withDirectory(async directory => {
      const db = open(directory)
      const failure = (await failureOf(() => openShared(directory, { ownerTimeout: 50 }))) as Error
      expect(failure).toMatchObject({ code: 'XENON_OWNER_LOST', sent: false })
      expect(failure.message).toContain("it would have to open it with openShared(), or with inspect: 'write'")
      db.close()
      const looked = open(directory, { inspect: 'write' })
      for (let i = 0; i < 6000 && !existsSync(join(directory, 'inspect.sock')); i++) await pause(10)
      const store = await openShared(directory)
      expect(store.role).toBe('follower')
      await store.put('a', '1')
      expect(looked.get('a')).toBe('1')
      looked.close()
      expect(await store.get('a')).toBe('1')
      expect(store.role).toBe('owner')
      await store.close()
    }))

  test('is reached by the command line through its owner', () =>
    withTwo(async (_owner, follower, directory) => {
      await follower.put('a', '1')
      const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
      const run = (...args: string[]): Promise<string> =>
        new Promise(resolve => {
          const child = spawn(process.execPath, [main, ...args])
          let text = ''
          child.stdout.on('data', chunk => {
            text += String(chunk)
          })
          child.on('close', () => resolve(text))
        })
      expect(await run('get', directory, 'a')).toBe('1')
      await run('put', directory, 'b', '2')
      expect(await follower.get('b')).toBe('2')
    }))

  test('options that make no sense are refused', async () => {
    await expectCodeAsync(() => openShared(''), 'XENON_INVALID_ARGUMENT')
    for (const options of [
      { readOnly: true },
      { lockWait: 5 },
      { ownerTimeout: 0 },
      { requestTimeout: -1 },
      { transactionConnections: 0 },
      { valueEncoding: 'xml' },
      { nothing: 1 },
      null,
    ])
      await expectCodeAsync(() => openShared('/tmp/never', options as never), 'XENON_INVALID_ARGUMENT')
    expect(existsSync('/tmp/never')).toBe(false)
  })
})

/** Runs `body` with a store that follows another process; the database must verify afterwards. */
const withChild = (
  body: (follower: SharedStore, owner: Child, directory: string) => Promise<void>,
  options: SharedOptions = {},
): Promise<void> =>
  withDirectory(async directory => {
    const owner = startChild('shared/owner.mjs', [directory])
    await owner.firstLine
    const follower = await openShared(directory, options)
    try {
      await body(follower, owner, directory)
    } finally {
      owner.kill()
      await follower.close()
    }
    await owner.ended
    if (!existsSync(directory)) return
    const db = open(directory)
    expect((await db.verify()).problems).toEqual([])
    db.close()
  })

/** Kills the owner, and waits until the follower knows, but no longer. */
const lose = async (follower: SharedStore, owner: Child): Promise<void> => {
  owner.kill()
  await new Promise<void>(resolve => follower.on('lost', resolve))
}

describe('a store whose owner is another process', () => {
  test('executes calls in the order in which they were made, whatever waits, and whoever calls', () =>
    withChild(async (follower, owner) => {
      const sub = await follower.sub('s')
      let heard: Promise<unknown> | undefined
      follower.on('owner', () => {
        heard = Promise.all([follower.put('a', 'heard'), sub.put('a', 'heard')])
      })
      await lose(follower, owner)
      const calls: Promise<unknown>[] = []
      for (let i = 0; i < 10; i++)
        for (const store of [follower, sub]) {
          calls.push(store.put('a', `put ${i}`), store.batch([{ type: 'put', key: 'a', value: `batch ${i}` }]))
          calls.push(store.get('a').then(value => expect(value).toBe(`batch ${i}`)))
        }
      await Promise.all(calls)
      await heard
      expect([await follower.get('a'), await sub.get('a')]).toEqual(['heard', 'heard'])
    }))

  test('ends watches with one that is killed', () =>
    withChild(async (follower, owner) => {
      const watcher = await follower.watch()
      await follower.put('a', '1')
      expect((await watcher.next()).value).toMatchObject({ key: 'a', value: '1' })
      owner.kill()
      expect(await failureOf(() => watcher.next())).toMatchObject({ code: 'XENON_OWNER_LOST', sent: false })
      const next = await follower.watch()
      await follower.put('b', '2')
      expect((await next.next()).value).toMatchObject({ key: 'b', value: '2' })
    }))

  test('goes on when a listener throws', () =>
    withChild(async (follower, owner) => {
      const thrown: unknown[] = []
      const others = process.listeners('uncaughtException')
      process.removeAllListeners('uncaughtException')
      process.on('uncaughtException', error => void thrown.push(error))
      try {
        for (const event of ['lost', 'owner'] as const)
          follower.on(event, () => {
            throw new Error(event)
          })
        await lose(follower, owner)
        await follower.put('a', '1')
        await pause(5)
      } finally {
        process.removeAllListeners('uncaughtException')
        for (const other of others) process.on('uncaughtException', other)
      }
      expect(follower.role).toBe('owner')
      expect(thrown.map(error => (error as Error).message)).toEqual(['lost', 'owner'])
    }))

  test('makes no other database where the one that it had was moved from', () =>
    withChild(async (follower, owner, directory) => {
      renameSync(directory, `${directory}-moved`)
      await lose(follower, owner)
      await expectCodeAsync(() => follower.put('a', '1'), 'XENON_NOT_FOUND')
      expect(existsSync(directory)).toBe(false)
      renameSync(`${directory}-moved`, directory)
      await follower.put('a', '1')
    }))

  test('waits for one that is stopped no longer than ownerTimeout', () =>
    withChild(async (_follower, owner, directory) => {
      owner.process.kill('SIGSTOP')
      const start = performance.now()
      await expectCodeAsync(() => openShared(directory, { ownerTimeout: 100 }), 'XENON_OWNER_LOST')
      // 10 s would be the default.
      expect(performance.now() - start).toBeLessThan(9000)
    }))

  test('rolls back what it began there when it has given up one that comes back', () =>
    withChild(
      async (follower, owner) => {
        const tx = await follower.begin()
        await tx.put('a', 'begun')
        const changes = await follower.watch()
        const lost = new Promise<void>(resolve => follower.on('lost', resolve))
        owner.process.kill('SIGSTOP')
        await expectCodeAsync(() => follower.put('b', '1'), 'XENON_TIMEOUT')
        await lost
        expect(tx.ended).toBe(true)
        await pause(400)
        owner.process.kill('SIGCONT')
        expect(await follower.get('a')).toBeUndefined()
        await expectCodeAsync(() => tx.commit(), 'XENON_OWNER_LOST')
        await expectCodeAsync(async () => {
          for await (const _ of changes);
        }, 'XENON_OWNER_LOST')
        // Its lock is free.
        await follower.put('a', '2', { lockTimeout: 1000 })
        expect(follower.role).toBe('follower')
      },
      { requestTimeout: 200 },
    ))

  test('keeps what a call was given while that waits', () =>
    withDirectory(async directory => {
      const options = { valueEncoding: 'json', keyEncoding: 'tuple' } as const
      const [owner, follower] = [await openShared(directory, options), await openShared(directory, options)]
      const lost = new Promise<void>(resolve => follower.on('lost', resolve))
      await owner.close()
      await lost
      const [key, value, bytes] = [['k', 1], { n: 1 }, new Uint8Array([1])]
      const calls = [
        follower.put(key, value),
        follower.batch([{ type: 'put', key: [bytes], value }]),
        expectCodeAsync(() => follower.put('undefined', undefined), 'XENON_ENCODE'),
      ]
      key[0] = 'other'
      value.n = 2
      bytes[0] = 2
      await Promise.all(calls)
      expect(await follower.getMany([['k', 1], [new Uint8Array([1])]])).toEqual([{ n: 1 }, { n: 1 }])
      await follower.close()
    }))

  test('takes the loss of another store for what it is', () =>
    withChild(async (follower, owner) =>
      withDirectory(async directory => {
        const store = await openShared(directory)
        const tx = await follower.begin()
        await lose(follower, owner)
        const failure = await failureOf(() => tx.commit())
        let runs = 0
        const again = await failureOf(() =>
          store.transact(() => {
            runs++
            throw failure
          }),
        )
        expect([again, runs]).toEqual([failure, 1])
        await store.close()
      }),
    ))

  test('is closed when the first of several calls of close() says so', () =>
    withDirectory(async directory => {
      const store = await openShared(directory)
      const first = store.close()
      expect(store.close()).toBe(first)
      await first
    }))
})
