/**
 * One connection and what waits for it.
 *
 *     send → queue ─(one socket write per turn)→ sent ─(reply)→ resolved
 *
 * 1. Replies come in the order of the commands: the first reply belongs to the first of `sent`.
 * 2. When the connection breaks, `queue` waits for the next one, for `connectTimeout` at most. Of `sent`, only reads are
 *    queued again; of everything else nobody knows whether it was executed, so it is rejected and never repeated. Once
 *    there has been no connection for that long, each attempt that fails rejects what waits, and a request brings the
 *    next attempt about: so a server that is down answers for itself, and nothing piles up. Without `offlineQueue`
 *    nothing waits at all.
 * 3. A request that has timed out keeps its place in `sent` until its reply comes, which is dropped.
 * 4. A server that was told LOCKWAIT PUSH answers what meets a lock with a number, goes on, and pushes the reply later:
 *    the request is in `later` meanwhile. Whoever aborts it has that wait cancelled, and learns what has become of it.
 */

import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectSecure } from 'node:tls'
import type { XenonError } from '../errors.ts'
import { clearInterval, clearTimeout, nextTurn, performance, setInterval, setTimeout } from '../runtime/timers.ts'
import { type Argument, CommandEncoder } from './encoder.ts'
import { ConnectionError, closedError, ProtocolError, ServerError, TimeoutError } from './errors.ts'
import type { LinkOptions, LockWait } from './link-options.ts'
import { type Reply, ReplyReader } from './reader.ts'
import { Redial } from './redial.ts'

interface Request {
  commands: readonly (readonly Argument[])[]
  replies: Reply[]
  repeatable: boolean
  tries: number
  /** By `performance.now()`. */
  deadline: number
  settled: boolean
  /** By its signal: what waits for a lock is to be given up. */
  isAborted: boolean
  resolve: (replies: Reply[]) => void
  reject: (error: Error) => void
}

/** More does not go into a timer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1
/** A read that was sent so often without an answer is not sent again. */
const MOST_TRIES = 3

export class Link {
  private readonly options: LinkOptions
  private readonly onPush: (items: Reply[]) => void
  private readonly onEnd: (error: Error | undefined) => void
  private readonly encoder = new CommandEncoder()
  private socket: Socket | undefined
  private ready = false
  private closing = false
  private over = false
  private queue: Request[] = []
  private sent: Request[] = []
  /** By the numbers of their lock waits. */
  private readonly later: Map<number, Request> = new Map()
  private answered = 0
  private flushing = false
  private received = 0
  private clock: NodeJS.Timeout | undefined
  private readonly redial: Redial
  private opening: { resolve: () => void; reject: (error: Error) => void } | undefined
  private ending: (() => void)[] = []

  constructor(
    options: LinkOptions,
    onPush: (items: Reply[]) => void = () => {},
    onEnd: (error: Error | undefined) => void = () => {},
  ) {
    this.options = options
    this.onPush = onPush
    this.onEnd = onEnd
    this.redial = new Redial(() => this.attempt(), options.connectTimeout)
  }

  /** Resolves when the server has greeted; rejects, for good, if the first attempt fails. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.opening = { resolve, reject }
      this.attempt()
    })
  }

  /** False once no command can be sent any more. */
  get usable(): boolean {
    return !this.closing && !this.over
  }

  get connected(): boolean {
    return this.ready
  }

  /** True while nothing is on its way. */
  get idle(): boolean {
    return this.queue.length === 0 && this.sent.length === this.answered && this.later.size === 0
  }

  /**
   * Sends commands one behind the other, with nothing between them; resolves to a reply for each, where an error of
   * the server is one too.
   */
  send(
    commands: readonly (readonly Argument[])[],
    repeatable: boolean,
    { signal, lockTimeout }: LockWait = {},
  ): Promise<Reply[]> {
    if (!this.usable) return Promise.reject(closedError())
    if (!this.ready && !this.options.offlineQueue) return Promise.reject(this.offlineError())
    return new Promise((resolve, reject) => {
      const request = this.request(commands, repeatable, resolve, reject, lockTimeout)
      if (signal !== undefined) this.abortWith(signal, request)
      this.queue.push(request)
      this.flushSoon()
      this.watchClock()
      this.redial.hurry()
    })
  }

  /** @throws ConnectionError if there is no connection, and nothing is to wait for one. */
  requireOnline(): void {
    if (!this.ready && this.usable && !this.options.offlineQueue) throw this.offlineError()
  }

  private offlineError(): ConnectionError {
    return new ConnectionError(`no connection to ${this.place}, and offlineQueue is false: nothing was sent`, false)
  }

  private abortWith(signal: AbortSignal, request: Request): void {
    const { resolve, reject } = request
    const onAbort = (): void => {
      request.isAborted = true
      const at = this.queue.indexOf(request)
      if (at < 0) this.cancel(request)
      else {
        this.queue.splice(at, 1)
        this.reject(request, signal.reason)
      }
    }
    signal.addEventListener('abort', onAbort, { once: true })
    request.resolve = replies => {
      signal.removeEventListener('abort', onAbort)
      if (request.isAborted && replies[replies.length - 1] instanceof ServerError) reject(signal.reason)
      else resolve(replies)
    }
    request.reject = error => {
      signal.removeEventListener('abort', onAbort)
      reject(error)
    }
  }

  /** Ends the wait for a lock, if the request is in one; else once it is. */
  private cancel(request: Request): void {
    if (!this.usable) return
    for (const [number, other] of this.later)
      if (other === request) this.send([['LOCKWAIT', 'CANCEL', number]], false).catch(() => {})
  }

  /** Lets what is on its way be answered, then closes. */
  close(): Promise<void> {
    return new Promise(resolve => {
      if (this.over) return resolve()
      this.ending.push(resolve)
      this.closing = true
      if (!this.ready) this.end(closedError())
      else this.endWhenIdle()
    })
  }

  /** Closes at once; what is on its way is rejected. */
  destroy(error: Error = closedError()): void {
    if (!this.over) this.end(error)
  }

  private request(
    commands: Request['commands'],
    repeatable: boolean,
    resolve: Request['resolve'],
    reject: Request['reject'],
    lockTimeout: number = 0,
  ): Request {
    const deadline = performance.now() + this.options.requestTimeout + lockTimeout
    return {
      commands,
      replies: [],
      repeatable,
      tries: 0,
      deadline,
      settled: false,
      isAborted: false,
      resolve,
      reject,
    }
  }

  private attempt(): void {
    const { host, port, socket: path, tls, connectTimeout } = this.options
    const place = path === undefined ? { host, port } : { path }
    let failure: Error | undefined
    let socket: Socket
    try {
      const secure = tls === true ? {} : tls
      socket = secure === false ? connectPlain(place) : connectSecure({ servername: nameOf(host), ...secure, ...place })
    } catch (error) {
      this.end(error as Error)
      return
    }
    this.socket = socket
    const reader = new ReplyReader(
      reply => this.answer(reply),
      items => this.pushed(items),
    )
    const timer =
      connectTimeout <= LONGEST_TIMER_MS
        ? setTimeout(
            () => socket.destroy(new TimeoutError(`no greeting of ${this.place} in ${connectTimeout} ms`, false)),
            connectTimeout,
          )
        : undefined
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 60_000)
    socket.on('error', error => {
      failure ??= error
    })
    socket.on('data', chunk => {
      if (this.socket !== socket) return
      this.received = performance.now()
      try {
        reader.push(chunk)
      } catch (error) {
        socket.destroy(error as Error)
      }
    })
    socket.on('drain', () => this.flushSoon())
    socket.on('close', () => {
      clearTimeout(timer)
      if (this.socket === socket) this.lost(failure)
    })
    socket.once(tls === false ? 'connect' : 'secureConnect', () => this.greet(socket, timer))
  }

  /** Where the server is. */
  get place(): string {
    const { host, port, socket } = this.options
    return socket ?? `${host}:${port}`
  }

  private greet(socket: Socket, timer: NodeJS.Timeout | undefined): void {
    const { username, password, name } = this.options
    const hello: Argument[] = ['HELLO', '3']
    if (password !== undefined) hello.push('AUTH', username, password)
    if (name !== undefined) hello.push('SETNAME', name)
    const welcome = ([reply]: Reply[]): void => {
      clearTimeout(timer)
      if (reply instanceof ServerError) {
        socket.destroy(reply)
        return
      }
      this.ready = true
      this.redial.connected()
      this.opening?.resolve()
      this.opening = undefined
      this.flush()
      if (this.closing) this.endWhenIdle()
    }
    const greeting = this.request([hello], false, welcome, () => {})
    greeting.deadline = Number.POSITIVE_INFINITY
    this.sent.push(greeting)
    this.encoder.add(hello)
    if (this.options.pushesLockWaits) {
      // A server that does not know it says so, and lets the commands behind wait.
      const command = ['LOCKWAIT', 'PUSH']
      const request = this.request(
        [command],
        false,
        () => {},
        () => {},
      )
      request.deadline = Number.POSITIVE_INFINITY
      this.sent.push(request)
      this.encoder.add(command)
    }
    for (const command of this.options.greeting ?? []) {
      const refused = ([reply]: Reply[]): void => {
        if (reply instanceof ServerError) socket.destroy(reply)
      }
      const request = this.request([command], false, refused, () => {})
      request.deadline = Number.POSITIVE_INFINITY
      this.sent.push(request)
      this.encoder.add(command)
    }
    this.write(socket)
  }

  private answer(reply: Reply): void {
    const request = this.sent[this.answered]
    if (request === undefined) throw new ProtocolError('a reply to no command')
    request.replies.push(reply)
    if (request.replies.length < request.commands.length) return
    this.answered++
    if (this.answered === this.sent.length || this.answered > 4096) {
      this.sent = this.sent.slice(this.answered)
      this.answered = 0
    }
    const number = lockWaitOf(reply)
    if (number === undefined) this.resolve(request)
    else {
      this.later.set(number, request)
      if (request.isAborted) this.cancel(request)
    }
    if (this.closing) this.endWhenIdle()
  }

  /** `["lockwait", number, reply]`: what has become of a command that had to wait. */
  private pushed(items: Reply[]): void {
    const [name, number, reply] = items
    const request = String(name) === 'lockwait' ? this.later.get(number as number) : undefined
    if (request === undefined) {
      this.onPush(items)
      return
    }
    this.later.delete(number as number)
    request.replies[request.replies.length - 1] = reply!
    this.resolve(request)
    if (this.closing) this.endWhenIdle()
  }

  private resolve(request: Request): void {
    if (request.settled) return
    request.settled = true
    request.resolve(request.replies)
  }

  private flushSoon(): void {
    if (this.flushing) return
    this.flushing = true
    nextTurn(() => {
      this.flushing = false
      this.flush()
    })
  }

  private flush(): void {
    const { socket } = this
    // What the socket does not take yet waits here, where a lost connection does it no harm.
    if (!this.ready || socket === undefined || socket.writableNeedDrain || this.queue.length === 0) return
    for (const request of this.queue) {
      request.tries++
      for (const command of request.commands) this.encoder.add(command)
      this.sent.push(request)
    }
    this.queue = []
    this.write(socket)
  }

  private write(socket: Socket): void {
    const chunks = this.encoder.take()
    if (chunks.length > 1) socket.cork()
    for (const chunk of chunks) socket.write(chunk)
    if (chunks.length > 1) socket.uncork()
  }

  private lost(cause: Error | undefined): void {
    this.socket = undefined
    this.redial.lost()
    this.ready = false
    const unanswered = [...this.later.values(), ...this.sent.slice(this.answered)].filter(request => !request.settled)
    this.later.clear()
    this.sent = []
    this.answered = 0
    const { reconnect, offlineQueue } = this.options
    const again: Request[] = []
    for (const request of unanswered) {
      request.replies = []
      if (request.repeatable && request.tries < MOST_TRIES && reconnect && offlineQueue) again.push(request)
      else this.reject(request, this.lostError(true, cause))
    }
    this.queue = [...again, ...this.queue]
    const refused = cause instanceof ServerError
    if (this.opening !== undefined || this.closing || !reconnect) {
      this.end(refused ? cause : this.lostError(false, cause))
      return
    }
    // The server does not want us, or there has been none for long enough: whoever waits should know.
    if (refused || this.redial.isDown || !offlineQueue)
      for (const request of this.queue.splice(0)) this.reject(request, refused ? cause : this.lostError(false, cause))
    this.redial.later(this.queue.length > 0)
  }

  private lostError(sent: boolean, cause: Error | undefined): Error {
    if (cause instanceof TimeoutError) return cause
    const what = sent
      ? `the connection to ${this.place} was lost before the answer came: the command may have been executed, or not`
      : `no connection to ${this.place}`
    return new ConnectionError(cause === undefined ? what : `${what} (${cause.message})`, sent, cause)
  }

  private endWhenIdle(): void {
    if (this.idle) this.end(undefined)
  }

  private end(error: Error | undefined): void {
    if (this.over) return
    this.over = true
    this.ready = false
    this.redial.stop()
    clearInterval(this.clock)
    const { socket } = this
    this.socket = undefined
    const waiting = [...this.later.values(), ...this.sent.slice(this.answered), ...this.queue].filter(
      request => !request.settled,
    )
    this.later.clear()
    this.sent = []
    this.queue = []
    this.answered = 0
    for (const request of waiting) this.reject(request, error ?? closedError())
    this.opening?.reject(error ?? closedError())
    this.opening = undefined
    const resolve = (): void => {
      for (const resolve of this.ending.splice(0)) resolve()
    }
    if (socket === undefined || socket.destroyed) resolve()
    else {
      socket.once('close', resolve)
      if (error === undefined) socket.end(() => socket.destroy())
      else socket.destroy()
    }
    this.onEnd(error)
  }

  private reject(request: Request, error: Error): void {
    if (request.settled) return
    request.settled = true
    request.reject(error)
  }

  /** One timer looks now and then whether the oldest requests have waited too long. */
  private watchClock(): void {
    const { requestTimeout } = this.options
    if (this.clock !== undefined || requestTimeout === Number.POSITIVE_INFINITY) return
    this.clock = setInterval(() => this.expire(), Math.min(1000, Math.max(5, requestTimeout / 4)))
    this.clock.unref()
  }

  private expire(): void {
    if (this.idle) {
      clearInterval(this.clock)
      this.clock = undefined
      return
    }
    const now = performance.now()
    const late = (sent: boolean): XenonError =>
      new TimeoutError(`no answer of ${this.place} in ${this.options.requestTimeout} ms`, sent)
    let dead = false
    for (let i = this.answered; i < this.sent.length && this.sent[i]!.deadline <= now; i++) {
      const request = this.sent[i]!
      // Nothing at all has come since: the connection itself is in doubt.
      if (!request.settled && this.received < request.deadline - this.options.requestTimeout) dead = true
      this.reject(request, late(true))
    }
    for (const request of this.later.values()) if (request.deadline <= now) this.reject(request, late(true))
    while (this.queue.length > 0 && this.queue[0]!.deadline <= now) this.reject(this.queue.shift()!, late(false))
    if (dead) this.socket?.destroy(late(true))
  }
}

/** TLS asks for a name; an address is none. */
function nameOf(host: string): string {
  return /^[\d.]+$|:/.test(host) ? '' : host
}

/** Number of the lock wait that a command is in. */
function lockWaitOf(reply: Reply): number | undefined {
  if (!(reply instanceof ServerError) || reply.prefix !== 'LOCKWAIT') return undefined
  return Number(reply.message.slice('LOCKWAIT '.length))
}
