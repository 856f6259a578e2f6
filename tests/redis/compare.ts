/** Runs the same stream of commands on two servers and compares what they answer. */
import type { Random } from '../support/random.ts'
import { randomCommand } from './commands.ts'
import type { RunningServer } from './servers.ts'
import { type Command, show, showWire, type Wire, WireConnection } from './wire.ts'

export interface Difference {
  command: string
  expected: string
  found: string
  /** The commands before it, the last ones, with the connection that sent them. */
  before: string[]
}

/** Seconds and milliseconds that two servers may differ, which got a command one after the other. */
const TOLERANCE: Readonly<Record<string, number>> = {
  TTL: 2,
  PTTL: 3000,
  EXPIRETIME: 2,
  PEXPIRETIME: 3000,
  LASTSAVE: Number.POSITIVE_INFINITY,
}
/** Whose elements come in any order. */
const UNORDERED: ReadonlySet<string> = new Set(['KEYS', 'SCAN'])
/** Of whose answers only the type is compared. */
const OF_THE_SERVER: ReadonlySet<string> = new Set([
  'TIME',
  'RANDOMKEY',
  'CLIENT ID',
  'CLIENT LIST',
  'CLIENT INFO',
  'COMMAND COUNT',
  'CONFIG GET',
])

/** Resolves to the first difference, or undefined. */
export async function compareStream(
  expected: RunningServer,
  tested: RunningServer,
  random: Random,
  length: number,
  protocol: 2 | 3,
  make: (random: Random) => Command = randomCommand,
): Promise<Difference | undefined> {
  const connections: Pair[] = []
  const before: string[] = []
  try {
    for (let i = 0; i < 2; i++) connections.push(await Pair.open(expected, tested, protocol))
    await connections[0]!.send([['FLUSHALL']])
    for (let done = 0; done < length; ) {
      const at = random.below(connections.length)
      const count = random.chance(0.5) ? 1 : random.between(2, 20)
      const commands = Array.from({ length: count }, () => make(random))
      const difference = await connections[at]!.send(commands)
      if (difference !== undefined) {
        const sent = commands.slice(0, difference.index).map(command => `${at}> ${show(command)}`)
        return { ...difference, before: [...before, ...sent].slice(-25) }
      }
      before.push(...commands.map(command => `${at}> ${show(command)}`))
      done += count
    }
    return undefined
  } finally {
    for (const connection of connections) connection.close()
  }
}

/** The same connection to both servers. */
export class Pair {
  private readonly expected: WireConnection
  private readonly tested: WireConnection
  private queued: Command[] = []

  private constructor(expected: WireConnection, tested: WireConnection) {
    this.expected = expected
    this.tested = tested
  }

  static async open(expected: RunningServer, tested: RunningServer, protocol: 2 | 3): Promise<Pair> {
    const pair = new Pair(await WireConnection.open(expected.port), await WireConnection.open(tested.port))
    if (protocol === 3) {
      const hello = [['HELLO', '3']]
      await Promise.all([pair.expected.send(hello), pair.tested.send(hello)])
    }
    return pair
  }

  async send(commands: readonly Command[]): Promise<(Omit<Difference, 'before'> & { index: number }) | undefined> {
    const [expected, tested] = await Promise.all([
      this.expected.send(commands),
      this.tested.send(commands).catch((error: Error) => [{ kind: '?', text: error.message }] as Wire[]),
    ])
    for (const [index, command] of commands.entries()) {
      const a = expected[index]!
      const b = tested[index] ?? { kind: '?', text: 'no reply' }
      if (!this.same(command, a, b)) return { index, command: show(command), expected: showWire(a), found: showWire(b) }
    }
    return undefined
  }

  /** All differences of replies, written on one line and made alike by `alike`. */
  async differ(
    commands: readonly Command[],
    alike: (reply: string) => string,
  ): Promise<{ command: string; expected: string; found: string }[]> {
    const replies = await Promise.all([this.expected.send(commands), this.tested.send(commands)])
    return commands
      .map((command, i) => {
        const [expected, found] = replies.map(each => alike(showWire(each[i]!))) as [string, string]
        return { command: show(command), expected, found }
      })
      .filter(({ expected, found }) => expected !== found)
  }

  private same(command: Command, a: Wire, b: Wire): boolean {
    const name = String(command[0]).toUpperCase()
    if (name === 'EXEC' && a.items !== undefined && b.items !== undefined) {
      const queued = this.queued.splice(0)
      return (
        a.items.length === b.items.length &&
        a.items.every((item, i) => sameReply(queued[i] ?? [''], item, b.items![i]!))
      )
    }
    if (a.kind === '+' && a.text === 'QUEUED') this.queued.push(command)
    else if (['EXEC', 'DISCARD', 'RESET'].includes(name)) this.queued = []
    return sameReply(command, a, b)
  }

  close(): void {
    this.expected.close()
    this.tested.close()
  }
}

function sameReply(command: Command, a: Wire, b: Wire): boolean {
  const name = String(command[0]).toUpperCase()
  const both = `${name} ${String(command[1] ?? '').toUpperCase()}`.trimEnd()
  if (a.kind !== b.kind) return OF_THE_SERVER.has(name) && a.kind !== '-' && b.kind !== '-'
  if (a.kind === '-') return a.text === b.text
  if (OF_THE_SERVER.has(name) || OF_THE_SERVER.has(both) || both === 'COMMAND' || both === 'HELLO') return true
  const tolerance = TOLERANCE[name]
  if (tolerance !== undefined && a.kind === ':') {
    const [x, y] = [Number(a.text), Number(b.text)]
    return x < 0 || y < 0 ? x === y : Math.abs(x - y) <= tolerance
  }
  return canonical(name, a) === canonical(name, b)
}

function canonical(name: string, wire: Wire): string {
  if (wire.items === undefined) return showWire(wire)
  const items = wire.items.map(item => canonical(name, item))
  return `${wire.kind}[${(UNORDERED.has(name) ? items.sort() : items).join(' ')}]`
}
