/** Clients that write and read registers of a cluster, and note what they were told, and when. */

import type { Record, Step } from '../../isolation/checker.ts'
import { pause } from '../../support/child.ts'
import type { Random } from '../../support/random.ts'
import type { Operation } from '../registers.ts'
import { NodeConnection, Refusal } from './client.ts'

/** A node that stands still gives no answer: a client goes on with another one after this. */
const ANSWER_MS = 2_500

export interface LoadSettings {
  readonly clients: number
  readonly keys: number
  readonly lists: number
  /** Share of reads of registers, and of transactions on lists; the rest are writes of registers. */
  readonly reads: number
  readonly transactions: number
}

/** What was done up to now. */
export class Load {
  readonly history: Operation[] = []
  /** Writes that were acknowledged, and moments at which they were, in milliseconds. */
  readonly acknowledged: number[] = []
  /** Transactions on lists; those without an answer are not committed as far as their clients know. */
  readonly transactions: Record[] = []
  unknown = 0
  /** Refusals because the log was full. */
  full = 0
  #number = 0
  #isOver = false
  readonly #work: Promise<void>[]

  constructor(ports: readonly number[], random: Random, settings: LoadSettings) {
    this.#work = [
      ...Array.from({ length: settings.clients }, (_, client) => this.#client(client, ports, random, settings)),
      ...ports.map(port => this.#reader(port, random, settings)),
    ]
  }

  /** Resolves when all clients have ended. */
  async end(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#work)
  }

  /** Resolves when so many more writes were acknowledged. @throws Error after `ms` */
  async progress(writes: number, ms = 80_000): Promise<void> {
    const goal = this.acknowledged.length + writes
    const deadline = performance.now() + ms
    while (this.acknowledged.length < goal) {
      if (performance.now() > deadline) throw new Error(`no ${writes} writes more within ${ms} ms`)
      await pause(10)
    }
  }

  /** The longest time without an acknowledged write since `from`, in milliseconds. */
  longestGap(from: number): number {
    const moments = [from, ...this.acknowledged.filter(at => at > from)]
    let longest = 0
    for (let i = 1; i < moments.length; i++) longest = Math.max(longest, moments[i]! - moments[i - 1]!)
    return longest
  }

  async #client(client: number, ports: readonly number[], random: Random, settings: LoadSettings): Promise<void> {
    const connections = ports.map(port => new NodeConnection(port))
    let at = random.below(ports.length)
    for (let i = 0; !this.#isOver; i++) {
      try {
        if (random.chance(settings.transactions)) await this.#transact(connections[at]!, random, settings)
        else await this.#register(connections[at]!, `${client}.${i}`, random, settings)
      } catch (error) {
        if (!(error instanceof Refusal) || error.code === 'defect') throw error
        if (error.code === 'XENON_FULL') this.full++
        else at = (at + 1) % ports.length
        await pause(20)
      }
    }
    for (const connection of connections) connection.close()
  }

  /** Reads from one node alone, whoever leads: what a deposed leader still answers is stale. */
  async #reader(port: number, random: Random, settings: LoadSettings): Promise<void> {
    const connection = new NodeConnection(port)
    while (!this.#isOver) {
      try {
        await this.#register(connection, '', random, { ...settings, reads: 1 })
        await pause(5)
      } catch (error) {
        if (!(error instanceof Refusal) || error.code === 'defect') throw error
        await pause(50)
      }
    }
    connection.close()
  }

  async #register(
    connection: NodeConnection,
    value: string,
    random: Random,
    { keys, reads }: LoadSettings,
  ): Promise<void> {
    const key = `register ${random.below(keys)}`
    const isRead = random.chance(reads)
    const began = performance.now()
    try {
      const question = isRead ? ({ op: 'get', key } as const) : ({ op: 'set', key, value } as const)
      const found = await connection.ask<string | undefined>(question, ANSWER_MS)
      const ended = performance.now()
      const operation = { key, began, ended }
      this.history.push(
        isRead ? { kind: 'read', value: found ?? undefined, ...operation } : { kind: 'write', value, ...operation },
      )
      if (!isRead) this.acknowledged.push(ended)
    } catch (error) {
      if (!isRead && error instanceof Refusal && !error.isCertain) {
        this.unknown++
        this.history.push({ kind: 'write', key, value, began, ended: Number.POSITIVE_INFINITY })
      }
      throw error
    }
  }

  async #transact(connection: NodeConnection, random: Random, { lists }: LoadSettings): Promise<void> {
    const some = random.shuffle(Array.from({ length: lists }, (_, i) => `list ${i}`)).slice(0, random.between(1, 3))
    const steps = some.map(list => (random.chance(0.5) ? { list, append: this.#number++ } : { list }))
    const record: Record = { id: this.transactions.length, committed: false, steps: [] }
    this.transactions.push(record)
    // Noted before it is done: others may see it though nobody has told this client.
    for (const { list, append } of steps)
      if (append !== undefined) record.steps.push({ kind: 'append', list, number: append })
    const found = await connection.ask<number[][]>({ op: 'transact', steps }, ANSWER_MS)
    record.committed = true
    record.steps = steps.flatMap(({ list, append }, i): Step[] => [
      { kind: 'read', list, value: found[i]! },
      ...(append === undefined ? [] : [{ kind: 'append' as const, list, number: append }]),
    ])
  }
}
