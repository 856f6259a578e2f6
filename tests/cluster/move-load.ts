/** Clients that write and read registers of a cluster while its slots move, and what they were told. */
import { pause } from '../support/child.ts'
import type { Operation } from './registers.ts'

/** A client of a cluster: `Cluster` of ioredis is one. */
export interface RegisterClient {
  set(key: string, value: string): Promise<unknown>
  get(key: string): Promise<string | null>
}

const REGISTERS: readonly string[] = Array.from({ length: 12 }, (_, i) => `register ${i}`)

export class MoveLoad {
  static readonly keys: readonly string[] = REGISTERS
  static readonly KEYS: number = REGISTERS.length
  static #number = 0
  readonly history: Operation[] = []
  readonly problems: string[] = []
  readonly #work: Promise<void>[] = []
  #isOver = false
  #acknowledged = 0

  readonly #clientOf: () => RegisterClient

  /**
   * @param clientOf a client for each of those who write and read; it may be the same one
   * @param readers more clients, that read
   */
  constructor(clientOf: () => RegisterClient, readers: readonly RegisterClient[] = []) {
    this.#clientOf = clientOf
    for (const key of MoveLoad.keys) this.#work.push(this.#write(clientOf(), key))
    for (let i = 0; i < 4; i++) this.#work.push(this.#read(clientOf(), i))
    for (const [i, reader] of readers.entries()) this.#work.push(this.#read(reader, i))
  }

  get acknowledged(): number {
    return this.#acknowledged
  }

  /** Writes of which nobody knows whether they were done. */
  get unknown(): number {
    return this.history.filter(({ kind, ended }) => kind === 'write' && ended === Number.POSITIVE_INFINITY).length
  }

  async end(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#work)
  }

  /** Resolves when so many more writes were acknowledged. @throws Error after `ms` */
  async progress(writes: number, ms = 30_000): Promise<void> {
    const goal = this.#acknowledged + writes
    const deadline = performance.now() + ms
    while (this.#acknowledged < goal) {
      if (performance.now() > deadline)
        throw new Error(`no ${writes} writes more within ${ms} ms: ${this.problems.join('; ')}`)
      await pause(10)
    }
  }

  async readAll(): Promise<void> {
    const client = this.#clientOf()
    for (const key of MoveLoad.keys) await this.#lookPatiently(client, key)
  }

  async #lookPatiently(client: RegisterClient, key: string): Promise<void> {
    for (let attempt = 1; ; attempt++)
      try {
        return await this.#look(client, key)
      } catch (error) {
        if (attempt === 5) throw error
      }
  }

  async #write(client: RegisterClient, key: string): Promise<void> {
    // Registers of one run begin with what the one before has left.
    await this.#lookPatiently(client, key)
    while (!this.#isOver) {
      const value = `${MoveLoad.#number++}`
      const began = performance.now()
      try {
        await client.set(key, value)
        this.history.push({ kind: 'write', key, value, began, ended: performance.now() })
        this.#acknowledged++
        await pause(5)
      } catch {
        // Also where the answer says that nothing was done: ioredis sends a write again whose connection was lost.
        this.history.push({ kind: 'write', key, value, began, ended: Number.POSITIVE_INFINITY })
        await pause(20)
      }
    }
  }

  async #read(client: RegisterClient, first: number): Promise<void> {
    for (let i = first; !this.#isOver; i++) {
      await this.#look(client, MoveLoad.keys[i % MoveLoad.KEYS]!).catch(() => pause(20))
      await pause(5)
    }
  }

  async #look(client: RegisterClient, key: string): Promise<void> {
    const began = performance.now()
    const value = (await client.get(key)) ?? undefined
    const ended = performance.now()
    // What an earlier run has written is a write of no known time.
    const isKnown = value === undefined || this.history.some(each => each.kind === 'write' && each.value === value)
    if (!isKnown && !this.#isOpen(value!))
      this.history.push({ kind: 'write', key, value, began: Number.NEGATIVE_INFINITY, ended: began })
    this.history.push({ kind: 'read', key, value, began, ended })
  }

  #isOpen(value: string): boolean {
    return Number(value) >= this.#firstNumber
  }

  readonly #firstNumber = MoveLoad.#number
}
