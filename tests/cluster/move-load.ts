/** Clients that write and read registers of a cluster while its slots move, and what they were told. */
import type { Cluster } from 'ioredis'
import { pause } from '../support/child.ts'
import type { Operation } from './registers.ts'

export class MoveLoad {
  static readonly keys: readonly string[] = Array.from({ length: 12 }, (_, i) => `register ${i}`)
  static readonly KEYS: number = MoveLoad.keys.length
  static #number = 0
  readonly history: Operation[] = []
  readonly problems: string[] = []
  readonly #client: Cluster
  readonly #work: Promise<void>[] = []
  #isOver = false
  #acknowledged = 0

  constructor(client: Cluster) {
    this.#client = client
    for (const key of MoveLoad.keys) this.#work.push(this.#write(key))
    for (let i = 0; i < 4; i++) this.#work.push(this.#read(i))
  }

  async end(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#work)
  }

  async progress(writes: number): Promise<void> {
    const goal = this.#acknowledged + writes
    for (let i = 0; this.#acknowledged < goal; i++) {
      if (i > 3000) throw new Error(`no ${writes} writes more within 30 s: ${this.problems.join('; ')}`)
      await pause(10)
    }
  }

  async readAll(): Promise<void> {
    for (const key of MoveLoad.keys) await this.#lookPatiently(key)
  }

  async #lookPatiently(key: string): Promise<void> {
    for (let attempt = 1; ; attempt++)
      try {
        return await this.#look(key)
      } catch (error) {
        if (attempt === 5) throw error
      }
  }

  async #write(key: string): Promise<void> {
    // Registers of one run begin with what the one before has left.
    await this.#lookPatiently(key)
    while (!this.#isOver) {
      const value = `${MoveLoad.#number++}`
      const began = performance.now()
      try {
        await this.#client.set(key, value)
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

  async #read(first: number): Promise<void> {
    for (let i = first; !this.#isOver; i++) {
      await this.#look(MoveLoad.keys[i % MoveLoad.KEYS]!).catch(() => pause(20))
      await pause(5)
    }
  }

  async #look(key: string): Promise<void> {
    const began = performance.now()
    const value = (await this.#client.get(key)) ?? undefined
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
