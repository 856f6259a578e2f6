import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { open } from '../../src/index.ts'
import { withDirectory } from '../support/directory.ts'
import { run } from './run.ts'

const fill = (directory: string): void => {
  const db = open(directory)
  db.transaction(tx => {
    for (let i = 0; i < 2_000; i++) tx.put(`key-${i}`, `value ${i}`.repeat(10))
  })
  db.put('large', 'L'.repeat(20_000))
  db.sub('users', { keyEncoding: 'tuple' }).put(['user', 42], 'someone')
  db.close()
}

test('inspect shows the file, the way to a key, and the block that it leads to', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    fill(db)
    const blocks = await run('inspect', db)
    expect({ status: blocks.status, stderr: blocks.stderr }).toEqual({ status: 0, stderr: '' })
    expect(blocks.stdout).toMatch(/hash index +102 /)
    expect(blocks.stdout).toMatch(/large values +5 /)
    const stats = JSON.parse((await run('stats', db, '--json')).stdout)
    const { metadata, uses } = JSON.parse((await run('inspect', db, '--blocks', '--json')).stdout)
    const counts = Object.fromEntries(uses.map(({ use, blocks }: { use: string; blocks: number }) => [use, blocks]))
    const { leaf, inner, damaged, ...same } = counts
    expect({ ...same, tree: leaf + inner, total: metadata.blocks }).toEqual(stats.blocks)
    expect([damaged, metadata.records, metadata.uuid]).toEqual([0, stats.records, stats.uuid])

    const path = await run('inspect', db, '--key', 'key-77', '--json')
    const { record, buckets, tree } = JSON.parse(path.stdout)
    expect([path.status, record.key.text, record.value.bytes]).toEqual([0, 'key-77', 80])
    expect(tree.at(-1).key.text).toBe('key-77')
    const block = JSON.parse((await run('inspect', db, '--block', String(record.block), '--json')).stdout)
    expect(block.bucket.records.find((each: { slot: number }) => each.slot === buckets.at(-1).slot)).toEqual(
      expect.objectContaining({ key: record.key }),
    )
    const readable = await run('inspect', db, '--block', String(record.block), '--hex')
    expect(readable.stdout).toMatch(/slot +tag +at +bytes +key/)
    expect(readable.stdout).toContain(' key-77 ')
    expect(readable.stdout).toMatch(/^ +32 {2}[0-9a-f ]{47} {2}/m)
    expect((await run('inspect', db, '--key', 'large')).stdout).toMatch(/19.5 KiB in 5 blocks/)
    const tuple = await run('inspect', db, '--sub', 'users', '--key', '["user",42]')
    expect(tuple.status).toBe(0)
    expect(tuple.stdout).toContain('the index block of this sub-database')
  }))

test('inspect shows characters that would steer a terminal as their numbers, and keys of nothing else too', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    const opened = open(db)
    const keys = { '\x1b[31mred': '\\u{1b}[31mred', 'a\nb': 'a\\u{a}b', '\u202ex': '\\u{202e}x' }
    for (const key of Object.keys(keys)) opened.put(key, 'v\x9b')
    opened.put('\x07'.repeat(1000), 'bells')
    opened.close()
    const at = async (key: string): Promise<string> => {
      const { buckets } = JSON.parse((await run('inspect', db, '--key', key, '--json')).stdout)
      return (await run('inspect', db, '--block', String(buckets[0].block))).stdout
    }
    for (const [key, shown] of Object.entries(keys)) {
      expect((await run('inspect', db, '--key', key)).stdout).toContain(`the way to ${shown}\n`)
      expect(await at(key)).toContain(` ${shown}  v\\u{9b}\n`)
    }
    const bells = await at('\x07'.repeat(1000))
    expect(bells).toMatch(/ (\\u\{7\})+\S*… 1000 bytes {2}bells\n/)
  }))

test('inspect says what is not there, and refuses what makes no sense', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    fill(db)
    const absent = await run('inspect', db, '--key', 'nobody')
    expect([absent.status, absent.stdout.includes('no such key')]).toEqual([1, true])
    expect(await run('inspect', db, '--block', '999999')).toMatchObject({ status: 1, stdout: '' })
    expect(await run('inspect', db, '--block', '1', '--log')).toMatchObject({ status: 2, stdout: '' })
    expect(await run('inspect', db, '--sub', 'none', '--key', 'a')).toMatchObject({ status: 1, stdout: '' })
    const missing = await run('inspect', `${parent}/none`)
    expect([missing.status, missing.stderr]).toEqual([1, expect.stringMatching(/there is no database in .*\n$/)])
  }))

test('inspect refuses options that say more of a view which is not asked for', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    fill(db)
    for (const [options, partner] of [
      [['--hex'], '--block'],
      [['--limit', '5'], '--log'],
      [['--block', '1', '--before', '99'], '--log'],
      [['--log', '--sub', 'users'], '--key'],
      [['--key-encoding', 'tuple'], '--key'],
    ] as const) {
      const { status, stderr } = await run('inspect', db, ...options)
      expect([status, stderr]).toEqual([2, expect.stringContaining(`says more of ${partner}, which is not given`)])
    }
    const twice = await run('inspect', db, '--log', '--disk')
    expect([twice.status, twice.stderr]).toEqual([2, expect.stringContaining('leave out --disk')])
  }))

test('inspect works beside an owner and on damage, and changes no byte', () =>
  withDirectory(async parent => {
    const directory = `${parent}/db`
    fill(directory)
    const db = open(directory)
    db.put('new', '\u001b[31mred')
    const files = (): string => ['data', 'lock', 'log/00000000.log'].map(name => digest(`${directory}/${name}`)).join()
    const before = files()
    const beside = await run('inspect', directory, '--key', 'key-1')
    expect([beside.status, beside.stderr]).toEqual([0, ''])
    expect((await run('inspect', directory, '--key', 'new')).status).toBe(0)
    // The data file does not hold it yet.
    expect((await run('inspect', directory, '--key', 'new', '--disk')).status).toBe(1)
    const log = await run('inspect', directory, '--log')
    expect(log.status).toBe(0)
    expect(log.stdout).toMatch(/update +commits itself/)
    expect(log.stdout).toContain('new')
    expect(log.stdout).not.toContain('\u001b')
    expect(JSON.parse((await run('inspect', directory, '--log', '--json')).stdout).groups).toHaveLength(1)
    expect(files()).toBe(before)
    db.close()
    const bytes = readFileSync(`${directory}/data`)
    bytes[50 * 4096 + 2048]! ^= 0x10
    writeFileSync(`${directory}/data`, bytes)
    const damaged = await run('inspect', directory, '--block', '50')
    expect([damaged.status, damaged.stdout]).toEqual([1, expect.stringMatching(/wrong checksum/)])
    const map = await run('inspect', directory)
    expect([map.status, map.stdout]).toEqual([1, expect.stringMatching(/damaged +1 /)])
    bytes[20]! ^= 1
    writeFileSync(`${directory}/data`, bytes)
    expect((await run('inspect', directory)).stderr).toMatch(/identity in block 0 has a wrong checksum/)
  }))

const digest = (path: string): string => readFileSync(path).toString('base64')
