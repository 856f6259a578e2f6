/** What COMMAND tells of a command is what Redis 7.0 tells of it. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commands } from '../../src/server/commands/index.ts'
import { type RunningServer, startRedis, startXenon } from './servers.ts'
import { type Command, showWire, type Wire, WireConnection } from './wire.ts'

/** Later ones tell other things of some commands. */
const isRedis70: boolean = spawnSync('redis-server', ['--version'], { encoding: 'utf8' }).stdout?.includes('v=7.0.')

/** What Redis lacks, or has only since a later version. */
const OWN: ReadonlySet<string> = new Set(
  [...commands.values()]
    .filter(({ since, summary }) => summary.endsWith('(xenondb)') || since.startsWith('7.2.'))
    .map(({ name }) => name),
)
/** Subcommands that Redis 7.0 lacks. */
const OWN_WITHIN: readonly string[] = ['client|setinfo', 'client|no-touch']
const NAMES = [...commands.keys()].filter(name => !OWN.has(name))
const WITHIN = NAMES.flatMap(name => commands.get(name)!.within.map(([each]) => each)).filter(
  name => !OWN_WITHIN.includes(name),
)

/** Of subcommands these are compared by COMMAND INFO alone, or are in words of our own. */
const FIRST: ReadonlySet<string> = new Set(['summary', 'since', 'group', 'complexity'])

/** A description whose subcommands, which come in any order, are in that of their names; those that both have. */
const ordered = (wire: Wire): Wire => {
  const items = wire.items?.slice()
  if (items?.length !== 10) return wire
  const within = items[9]!.items!.filter(({ items: each }) => WITHIN.includes(each![0]!.text!))
  items[9] = { kind: '*', items: within.toSorted((a, b) => (a.items![0]!.text! < b.items![0]!.text! ? -1 : 1)) }
  return { ...wire, items }
}

describe.runIf(isRedis70)('facts', () => {
  let servers: RunningServer[]
  let directory: string

  beforeAll(async () => {
    directory = mkdtempSync(join(process.env.XENON_TMP ?? tmpdir(), 'xenon-test-'))
    servers = [await startRedis(directory), await startXenon(`${directory}/db`)]
  })

  afterAll(async () => {
    for (const server of servers) await server.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  const ask = (requests: readonly Command[], protocol: 2 | 3): Promise<Wire[][]> =>
    Promise.all(
      servers.map(async ({ port }) => {
        const connection = await WireConnection.open(port)
        await connection.send([['HELLO', String(protocol)]])
        const replies = await connection.send(requests)
        connection.close()
        return replies
      }),
    )

  test.each([2, 3] as const)('COMMAND INFO tells the same of all that both have, RESP%d', async protocol => {
    const names = [...NAMES, ...WITHIN]
    const [theirs, ours] = await ask(
      names.map(name => ['COMMAND', 'INFO', name]),
      protocol,
    )
    for (const [i, name] of names.entries())
      expect(`${name}: ${showWire(ordered(ours![i]!.items![0]!))}`).toBe(
        `${name}: ${showWire(ordered(theirs![i]!.items![0]!))}`,
      )
  })

  test('COMMAND INFO of what there is not, and of our own', async () => {
    const requests = [...OWN, 'nothing', 'get|x', 'client|nothing', 'client|id|x', '', 'GET', 'CLIENT|ID']
    const [theirs, ours] = await ask([['COMMAND', 'INFO', ...requests]], 2)
    const known = (wires: readonly Wire[]): boolean[] => wires[0]!.items!.map(({ items }) => items !== undefined)
    expect(known(ours!)).toEqual([...[...OWN].map(() => true), ...known(theirs!).slice(OWN.size)])
  })

  test.each([2, 3] as const)('COMMAND DOCS tells the same of all that both have, RESP%d', async protocol => {
    const names = [...NAMES, ...WITHIN].filter(name => name !== 'debug')
    const [theirs, ours] = await ask(
      names.map(name => ['COMMAND', 'DOCS', name]),
      protocol,
    )
    const fields = (wire: Wire): [string, string][] => {
      const items = wire.items![1]!.items!
      return items
        .filter((_, i) => i % 2 === 0)
        .map(({ text }, i): [string, string] => [text!, showWire(items[2 * i + 1]!)])
        .filter(([field]) => field !== 'subcommands')
    }
    const told = (name: string, wire: Wire): [string, string][] =>
      fields(wire).filter(([field]) => !name.includes('|') || !FIRST.has(field))
    for (const [i, name] of names.entries())
      expect([name, told(name, ours![i]!)]).toEqual([name, told(name, theirs![i]!)])
  })

  test.each([2, 3] as const)('COMMAND GETKEYS and GETKEYSANDFLAGS, RESP%d', async protocol => {
    const lines = [
      'get a', 'set a 1', 'set a 1 get', 'set a 1 ex 10 GET', 'mset a 1 b 2', 'mset a 1 b', 'mget a b c', 'del a',
      'rename a b', 'copy a b', 'copy a b replace', 'bitop and d a b c', 'bitop not d', 'bitfield a get u8 0',
      'bitfield a set u8 0 1', 'bitfield a get u8', 'bitfield_ro a get u8 0', 'lcs a b', 'object encoding a',
      'object help x', 'object bogus a', 'memory usage a', 'memory bogus a', 'ping a', 'client id', 'client nothing',
      'nothing a', 'watch a b', 'exists a', 'touch a b', 'append a', 'append a b', 'setrange a 1 b', 'config get a',
    ] // biome-ignore format: a list
    const requests = lines.flatMap(line => [
      ['COMMAND', 'GETKEYS', ...line.split(' ')],
      ['COMMAND', 'GETKEYSANDFLAGS', ...line.split(' ')],
    ])
    requests.push(['COMMAND', 'GETKEYS'], ['COMMAND', 'GETKEYS', 'get'])
    const [theirs, ours] = await ask(requests, protocol)
    for (const [i, request] of requests.entries())
      expect(`${request.join(' ')}: ${showWire(ours![i]!)}`).toBe(`${request.join(' ')}: ${showWire(theirs![i]!)}`)
  })

  test('COMMAND LIST, with and without a filter', async () => {
    const filters = [
      '', 'FILTERBY ACLCAT string', 'filterby aclcat KEYSPACE', 'FILTERBY ACLCAT nothing', 'FILTERBY MODULE m',
      'FILTERBY PATTERN b*', 'FILTERBY PATTERN CLIENT|I*', 'FILTERBY PATTERN x', 'FILTERBY', 'FILTERBY ACLCAT',
      'bogus', 'FILTERBY bogus x', 'FILTERBY MODULE m x',
    ] // biome-ignore format: a list
    const both = new Set([...NAMES, ...WITHIN])
    const [theirs, ours] = await ask(
      filters.map(filter => ['COMMAND', 'LIST', ...filter.split(' ').filter(word => word !== '')]),
      2,
    )
    const shown = ({ items, text }: Wire): unknown =>
      items
        ?.map(each => each.text!)
        .filter(name => both.has(name))
        .toSorted() ?? text
    for (const [i, filter] of filters.entries())
      expect([filter, shown(ours![i]!)]).toEqual([filter, shown(theirs![i]!)])
  })
})
