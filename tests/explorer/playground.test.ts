/** What the static site does: crashes of the simulated disk, damage, and the lessons, each done by script. */
import { describe, expect, test } from 'vitest'
import { type Asking, LESSONS } from '../../site/lesson-texts.ts'
import { type CrashReport, Playground } from '../../site/playground.ts'
import type { KeyPath } from '../../src/explorer/path.ts'
import { crashPolicies } from '../../src/testing/fault.ts'
import type { Stats } from '../../src/types.ts'
import { Random, seeded } from '../support/random.ts'

const CITIES: readonly [string, string][] = [
  ...Array.from({ length: 6_000 }, (_, i): [string, string] => [
    `XX/City ${i}/${i}`,
    `{"name":"City ${i}","about":"${'x'.repeat(140)}"}`,
  ]),
  ['FR/Paris/2988507', '{"name":"Paris"}'],
]

const newPlayground = (seed = 1): Playground => new Playground(async () => CITIES, seed)
const call = async <T>(playground: Playground, name: string, params: object = {}): Promise<T> =>
  (await playground.call(name, params as Record<string, unknown>)) as T
const isThere = async (playground: Playground, key: string): Promise<boolean> =>
  (await call<KeyPath>(playground, 'path', { key })).found

describe('a crash', () => {
  test.each(crashPolicies)('that keeps %s leaves what was committed, and nothing of what was not', async policy => {
    await seeded(async random => {
      const playground = newPlayground(random.below(1_000_000))
      for (let round = 0; round < 3; round++) {
        for (let i = 0; i < 40; i++)
          await call(playground, 'put', { key: `kept/${round}/${i}`, value: `${i}`.repeat(20) })
        if (random.chance(0.5)) await call(playground, 'checkpoint')
        const { transaction } = await call<{ transaction: number }>(playground, 'begin')
        for (let i = 0; i < 5; i++)
          await call(playground, 'inside', { transaction, what: 'put', key: `lost/${round}/${i}`, value: 'x' })
        if (random.chance(0.5)) await call(playground, 'put', { key: `other/${round}`, value: 'syncs the log' })
        const report = await call<CrashReport>(playground, 'crash', { policy })
        const { ok, problems } = await call<{ ok: boolean; problems: string[] }>(playground, 'verify')
        expect([ok, problems]).toEqual([true, []])
        for (let i = 0; i < 40; i++) expect(await isThere(playground, `kept/${round}/${i}`)).toBe(true)
        for (let i = 0; i < 5; i++) expect(await isThere(playground, `lost/${round}/${i}`)).toBe(false)
        // What is told of redo and undo is what recovery has done.
        expect(report.losers.length).toBe(report.recovery.transactionsRolledBack)
        expect(report.steps.filter(({ isRedone }) => isRedone).length).toBe(report.recovery.redone)
        expect(report.files.map(({ path }) => path)).toContain('db/data')
      }
    })
  })

  test('at some operation of the disk leaves every record that was put before it', async () => {
    const random = new Random(7)
    for (let i = 0; i < 12; i++) {
      const playground = newPlayground(i)
      await call(playground, 'put', { key: 'first', value: '1' })
      const report = await call<CrashReport>(playground, 'crash', {
        policy: random.pick(crashPolicies),
        after: random.between(1, 60),
      })
      expect(await isThere(playground, 'first')).toBe(true)
      let next = 0
      while (await isThere(playground, `storm/${next}`)) next++
      expect(report.records).toBe(next + 1)
      expect((await call<{ ok: boolean }>(playground, 'verify')).ok).toBe(true)
    }
  })
})

test('a bit that is flipped is found by verify and on the map', async () => {
  const playground = newPlayground()
  await call(playground, 'load')
  const { record } = await call<KeyPath>(playground, 'path', { key: 'FR/Paris/2988507' })
  await call(playground, 'flip', { block: record!.block, byte: record!.at + 6 })
  const { ok, problems } = await call<{ ok: boolean; problems: string[] }>(playground, 'verify')
  expect([ok, problems[0]]).toEqual([false, expect.stringContaining(`block ${record!.block}: wrong checksum`)])
  const { uses } = await call<{ uses: Uint8Array }>(playground, 'map', { since: 0 })
  expect(uses[record!.block]).toBe(10)
  await expect(call(playground, 'path', { key: 'FR/Paris/2988507' })).rejects.toThrow(/wrong checksum/)
})

test('after a crash the map is told from the beginning, whatever version is known', async () => {
  const playground = newPlayground()
  await call(playground, 'load')
  const before = await call<{ version: number }>(playground, 'map', { since: 0 })
  await call(playground, 'crash', { policy: 'none' })
  expect((await call<{ changed?: Uint32Array }>(playground, 'map', { since: before.version })).changed).toBeUndefined()
})

/** What a reader does in each lesson, by its name; true: the task is done by what was done before. */
const SCRIPTS: Readonly<Record<string, readonly ((playground: Playground, routes: string[]) => Promise<unknown>)[]>> = {
  'Blocks and slots': [
    playground => call(playground, 'put', { key: 'cat', value: 'a small feline' }),
    async (playground, routes) => {
      const { record } = await call<KeyPath>(playground, 'path', { key: 'cat' })
      routes.push(`#/block/${record!.block}/${record!.slot}`)
    },
  ],
  'Freelist and gaps': [
    playground => call(playground, 'load'),
    playground => call(playground, 'delete', { key: 'FR/Paris/2988507' }),
    playground => call(playground, 'put', { key: 'FR/Paris/2988507', value: '{}' }),
  ],
  'The hash index, and how it grows': [
    playground => call(playground, 'load'),
    async (_playground, routes) => routes.push('#/key/FR%2FParis%2F2988507'),
  ],
  'The buffer pool: why it is fast': [
    playground => call(playground, 'load'),
    async playground => {
      await call(playground, 'reopen')
      await call(playground, 'getAll')
    },
    async playground => {
      for (let i = 0; i < 3; i++) await call(playground, 'getAll')
    },
  ],
  'The write-ahead log': [
    async (playground, routes) => {
      await call(playground, 'put', { key: 'dog', value: 'barks' })
      routes.push('#/log')
    },
    playground => call(playground, 'checkpoint'),
  ],
  Recovery: [
    playground => call(playground, 'put', { key: 'kept', value: '1' }),
    async playground => {
      const { transaction } = await call<{ transaction: number }>(playground, 'begin')
      await call(playground, 'inside', { transaction, what: 'put', key: 'lost', value: '1' })
      await call(playground, 'put', { key: 'other', value: '1' })
    },
    playground => call(playground, 'crash', { policy: 'none' }),
  ],
  'Transactions and isolation': [
    async playground => {
      for (const key of ['a', 'b']) {
        const { transaction } = await call<{ transaction: number }>(playground, 'begin')
        await call(playground, 'inside', { transaction, what: 'put', key, value: '1' })
      }
    },
    async playground => {
      const { open } = await call<{ open: { id: number }[] }>(playground, 'transactions')
      // It waits: nobody waits for that here.
      call(playground, 'inside', { transaction: open[0]!.id, what: 'put', key: 'b', value: '2' }).catch(() => {})
      await new Promise(resolve => setTimeout(resolve, 20))
    },
    async playground => {
      const { open } = await call<{ open: { id: number }[] }>(playground, 'transactions')
      const deadlock = call(playground, 'inside', { transaction: open[1]!.id, what: 'put', key: 'a', value: '2' })
      await expect(deadlock).rejects.toThrow(/deadlock/)
    },
  ],
  'The tree over the keys': [
    playground => call(playground, 'load'),
    async (_playground, routes) => routes.push('#/block/103'),
  ],
}

test.each(LESSONS.map(lesson => [lesson.name, lesson] as const))(
  'the lesson "%s" notices what was done, and no more',
  async (name, lesson) => {
    const playground = newPlayground()
    const routes: string[] = []
    const asking: Asking = {
      call: (what, params) => call(playground, what, params),
      visited: route => routes.some(each => each.startsWith(route)),
      before: (await call<{ stats: Stats }>(playground, 'state')).stats,
    }
    expect(SCRIPTS[name]?.length).toBe(lesson.tasks.length)
    for (const [i, task] of lesson.tasks.entries()) {
      expect(await task.isDone(asking).catch(() => false), `task ${i + 1} before`).toBe(false)
      await SCRIPTS[name]![i]!(playground, routes)
      expect(await task.isDone(asking), `task ${i + 1}`).toBe(true)
    }
  },
)
