/** A client of the campaign's nodes: one connection to each, which finds the leader by asking. */
import { createConnection, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { Answer, Question } from './protocol.ts'

/** An answer that says that something was not done, or that nobody knows. */
export class Refusal extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }

  /** Nothing was executed. */
  get isCertain(): boolean {
    return ['XENON_NOT_LEADER', 'XENON_FULL', 'XENON_VALUE_TOO_LARGE', 'no connection'].includes(this.code)
  }
}

export class NodeConnection {
  readonly #port: number
  #socket: Promise<Socket> | undefined
  #id = 0
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()

  constructor(port: number) {
    this.#port = port
  }

  /** Rejects with a `Refusal`; after `ms` nobody knows. */
  async ask<T>(question: Omit<Question, 'id'>, ms = 60_000): Promise<T> {
    const socket = await this.#connected()
    const id = ++this.#id
    return await new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => end(new Refusal('no answer', `no answer within ${ms} ms`)), ms)
      const end = (error: Error | undefined, value?: unknown): void => {
        clearTimeout(timer)
        this.#waiting.delete(id)
        if (error === undefined) resolve(value as T)
        else reject(error)
      }
      this.#waiting.set(id, { resolve: value => end(undefined, value), reject: end })
      socket.write(`${JSON.stringify({ ...question, id })}\n`)
    })
  }

  close(): void {
    this.#lost()
  }

  #connected(): Promise<Socket> {
    this.#socket ??= new Promise<Socket>((resolve, reject) => {
      const socket = createConnection(this.#port, '127.0.0.1')
      socket.setNoDelay(true)
      socket.once('connect', () => resolve(socket))
      socket.once('error', error => {
        this.#socket = undefined
        reject(new Refusal('no connection', error.message))
      })
      socket.once('close', () => this.#lost())
      createInterface({ input: socket })
        .on('line', line => {
          const { id, value, error, message = '' } = JSON.parse(line) as Answer
          const waiting = this.#waiting.get(id)
          if (error === undefined) waiting?.resolve(value)
          else waiting?.reject(new Refusal(error, message))
        })
        .on('error', () => {})
    })
    return this.#socket
  }

  #lost(): void {
    const socket = this.#socket
    this.#socket = undefined
    socket?.then(
      open => open.destroy(),
      () => {},
    )
    for (const { reject } of [...this.#waiting.values()]) reject(new Refusal('no answer', 'the connection was cut'))
  }
}
