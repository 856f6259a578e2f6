/** Whose requests are executed in which turn, and when they are synced, by clients and a clock of the test's own. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { nextTurn, performance } from '../../../src/runtime/timers.ts'
import type { Connection } from '../../../src/server/connection/connection.ts'
import { Turns, type TurnsOwner } from '../../../src/server/connection/turns.ts'

let now = 0
beforeEach(() => {
  now = 1000
  vi.spyOn(performance, 'now').mockImplementation(() => now)
  vi.spyOn(Date, 'now').mockImplementation(() => now)
})
afterEach(() => vi.restoreAllMocks())

/** Calls of a client or of the database, in their order. */
type Event = string

class Owner {
  readonly events: Event[] = []
  readonly counts = { changes: 0 }
  readonly memory = { relieve: () => {} }
  readonly out = { reuse: () => {} }
  readonly db = { closed: false }
  failure: unknown
  /** Syncs are done aside, and end when the test says so. */
  isSlow = false
  readonly syncing: (() => void)[] = []
  /** Changes that are durable. */
  private synced = 0
  readonly keys = {
    records: {
      makeDurable: (): Promise<void> | undefined => {
        if (this.synced === this.counts.changes) return undefined
        this.events.push('sync')
        this.synced = this.counts.changes
        return this.isSlow ? new Promise(resolve => this.syncing.push(resolve)) : undefined
      },
    },
  }
}

/** A client that has always something to be executed. */
class Client {
  listed = false
  yielded = false
  /** Has many commands, if quick ones. */
  isBulky = false
  readonly name: string
  readonly share: { isSlow: boolean; isHeavy(): boolean }
  readonly unread = 0
  private readonly onResume: (client: Client) => void
  private readonly owner: Owner
  constructor(name: string, isSlow: boolean, owner: Owner, onResume: (client: Client) => void = () => {}) {
    this.name = name
    this.share = { isSlow, isHeavy: () => isSlow || this.isBulky }
    this.owner = owner
    this.onResume = onResume
  }

  get asConnection(): Connection {
    return this as unknown as Connection
  }

  seal(): void {}

  send(): boolean {
    this.owner.events.push(this.name)
    return true
  }

  resume(): void {
    this.yielded = false
    this.onResume(this)
  }
}

const turn = (): Promise<void> => new Promise(resolve => nextTurn(() => resolve()))

test('of many with slow commands some go on in a turn, in their order, beside one with quick ones', async () => {
  const owner = new Owner()
  const turns = new Turns(owner as unknown as TurnsOwner)
  const resumed: [turn: number, name: string][] = []
  const goOn = (client: Client): void => {
    if (resumed.length > 60) return
    resumed.push([turns.number, client.name])
    // As `Connection.run` does.
    turns.isLong(now)
    now += 4
    client.yielded = true
    turns.goOnSoon(client.asConnection)
  }
  const slow = Array.from({ length: 10 }, (_, i) => new Client(`slow ${i}`, true, owner, goOn))
  const quick = new Client('quick', false, owner)
  for (const client of slow) {
    client.yielded = true
    turns.goOnSoon(client.asConnection)
  }
  while (resumed.length <= 60) {
    turns.sendSoon(quick.asConnection)
    await turn()
  }
  // Three commands of 4 ms, then the turn has taken more than 10 ms.
  const perTurn = new Map<number, number>()
  for (const [number] of resumed) perTurn.set(number, (perTurn.get(number) ?? 0) + 1)
  for (const count of [...perTurn.values()].slice(0, -1)) expect(count).toBe(3)
  expect(resumed.map(([, name]) => name)).toEqual(resumed.map((_, i) => `slow ${i % 10}`))
})

test('who has many quick commands has a turn between those with slow ones', async () => {
  const owner = new Owner()
  const turns = new Turns(owner as unknown as TurnsOwner)
  const ran: string[] = []
  const goOn = (client: Client): void => {
    if (ran.length > 60) return
    // As `Connection.run` does: in a turn that has taken long it is put off.
    if (!turns.isLong(now) || !client.share.isHeavy()) {
      ran.push(client.name)
      now += client.share.isSlow ? 15 : 0.1
    }
    client.yielded = true
    turns.goOnSoon(client.asConnection)
  }
  const clients = [new Client('slow 1', true, owner, goOn), new Client('slow 2', true, owner, goOn)]
  const bulky = new Client('bulky', false, owner, goOn)
  bulky.isBulky = true
  const quick = new Client('quick', false, owner)
  for (const client of [...clients, bulky]) {
    client.yielded = true
    turns.goOnSoon(client.asConnection)
  }
  while (ran.length <= 60) {
    turns.sendSoon(quick.asConnection)
    await turn()
  }
  expect(ran.filter(name => name === 'bulky').length).toBeGreaterThanOrEqual(20)
  expect(ran.filter(name => name === 'slow 2').length).toBeGreaterThanOrEqual(15)
})

test('with nobody beside them all go on in each turn', async () => {
  const owner = new Owner()
  const turns = new Turns(owner as unknown as TurnsOwner)
  const resumed: number[] = []
  const goOn = (client: Client): void => {
    if (resumed.length >= 40) return
    resumed.push(turns.number)
    turns.isLong(now)
    now += 4
    client.yielded = true
    turns.goOnSoon(client.asConnection)
  }
  const slow = Array.from({ length: 10 }, (_, i) => new Client(`slow ${i}`, true, owner, goOn))
  for (const client of slow) {
    client.yielded = true
    turns.goOnSoon(client.asConnection)
  }
  while (resumed.length < 40) await turn()
  expect(new Set(resumed).size).toBe(4)
})

test('what those write who go on is synced before the others ask again, whose reads need no sync', async () => {
  const owner = new Owner()
  const turns = new Turns(owner as unknown as TurnsOwner)
  const { events, counts } = owner
  const goOn = (client: Client): void => {
    counts.changes++
    client.yielded = true
    turns.goOnSoon(client.asConnection)
  }
  const writer = new Client('writer', false, owner, goOn)
  const reader = new Client('reader', false, owner)
  writer.yielded = true
  turns.goOnSoon(writer.asConnection)
  for (let i = 0; i < 20; i++) {
    events.push('asked')
    turns.sendSoon(reader.asConnection)
    reader.listed = true
    await turn()
  }
  const rounds = events.join(' ').split('asked ').slice(2)
  expect(rounds.length).toBeGreaterThan(10)
  for (const round of rounds) expect(round.trim()).toBe('reader sync writer')
})

test.each([
  ['with those who have had their replies and ask again', true],
  ['at the latest after a while', false],
])('the sync behind one that was done aside begins %s', async (_, asksAgain) => {
  const owner = new Owner()
  owner.isSlow = true
  const turns = new Turns(owner as unknown as TurnsOwner)
  const { events, counts, syncing } = owner
  const [first, second] = [new Client('first', false, owner), new Client('second', false, owner)]
  const write = (client: Client): void => {
    counts.changes++
    turns.sendSoon(client.asConnection)
  }
  write(first)
  await turn()
  expect(events).toEqual(['sync'])
  for (let i = 0; i < 3; i++) {
    write(second)
    now += 10
    await turn()
  }
  // One at a time.
  expect(events).toEqual(['sync'])
  syncing[0]!()
  for (let i = 0; i < 3; i++) await turn()
  expect(events).toEqual(['sync', 'first'])
  if (asksAgain) write(first)
  else now += 1
  await turn()
  await turn()
  expect(events).toEqual(['sync', 'first', 'sync'])
  syncing[1]!()
  await turn()
  expect(events).toEqual(['sync', 'first', 'sync', 'second', ...(asksAgain ? ['first'] : [])])
})

test('what only reads does not wait for those who have had their replies', async () => {
  const owner = new Owner()
  owner.isSlow = true
  const turns = new Turns(owner as unknown as TurnsOwner)
  const { events, counts, syncing } = owner
  const [writer, reader] = [new Client('writer', false, owner), new Client('reader', false, owner)]
  counts.changes++
  turns.sendSoon(writer.asConnection)
  await turn()
  turns.sendSoon(reader.asConnection)
  now += 10
  await turn()
  expect(events).toEqual(['sync'])
  syncing[0]!()
  await turn()
  await turn()
  expect(events).toEqual(['sync', 'writer', 'reader'])
})
