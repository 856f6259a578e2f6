/**
 * The bytes of one client: what has arrived from it, and what it is to be sent.
 *
 * Requests are executed as they arrive, but their replies stay here until `send`, which comes when the writes of their
 * turn are durable (`turns.ts`): in `pending`, and from the end of the turn on in `sealed`. With `pauseOutputBytes`
 * unsent no further request is executed, and nothing is read from the socket.
 */

import type { Socket } from 'node:net'
import { nextTurn, performance } from '../../runtime/timers.ts'
import type { Push } from '../protocol/message.ts'
import { RequestParser } from '../protocol/parser.ts'
import { type ReplyWriter, TooMuchOutput } from '../protocol/reply.ts'
import type { Arguments } from '../protocol/request.ts'
import type { Activity } from '../service/activity.ts'
import type { ClientMemory, Holder } from '../service/client-memory.ts'
import type { Counts } from '../service/counts.ts'
import type { Log } from '../service/log.ts'
import type { Settings } from '../service/options.ts'
import { Backlog } from './backlog.ts'
import type { Joiner } from './joiner.ts'
import { limitsOf, STRANGERS } from './request-limits.ts'
import { Share } from './share.ts'
import { Taken } from './taken.ts'

/** Time that a client has to end a connection that the server has ended, once it has taken everything. */
const LINGER_MS = 1000
/** Whoever has no more than this unsent is told why he is closed. */
const LITTLE_UNSENT = 65536
/** A peer that is gone without a word is noticed. */
const KEEP_ALIVE_MS = 300_000
/** So much is read of what follows a request that waits for others: behind it lies the end of a client that is gone. */
const AHEAD_BYTES = 65536

/** What a connection asks of the server that has accepted it. */
export interface ConnectionOwner {
  readonly settings: Settings
  readonly log: Log
  readonly out: ReplyWriter
  readonly turns: {
    readonly time: number
    readonly number: number
    readonly crowd: number
    readonly hasOthers: boolean
    isLong(now: number): boolean
    readonly joiner: Joiner
    sendSoon(connection: Connection): void
    goOnSoon(connection: Connection): void
  }
  readonly counts: Counts
  readonly memory: ClientMemory
  readonly activity: Activity
  /** The client is gone. */
  left(connection: Connection): void
}

export abstract class Connection<Owner extends ConnectionOwner = ConnectionOwner> implements Holder {
  readonly id: number
  readonly server: Owner
  readonly socket: Socket
  readonly out: ReplyWriter
  readonly address: string
  readonly localAddress: string
  readonly created: number = Date.now()
  /** Since when it has been one that must authenticate. */
  private strangerSince: number = this.created
  /** When it has last sent or taken something. */
  lastActive: number = this.created
  resp3 = false
  /** Waits for something: its further requests wait too. */
  busy = false
  /** It does so for what others do, who may take long: whoever ends its side meanwhile is gone. */
  private waitsForOthers = false
  /** No further request is executed; the connection ends when what is pending has been sent. */
  closing = false
  closed = false
  /** Is sent what it has not asked for: messages, or changes of a range. */
  isSubscribed = false
  /** Since when a request has been arriving that is not whole yet. */
  partialSince: number | undefined
  /** The server knows that there is something to be sent. */
  listed = false
  held = 0
  private readonly parser: RequestParser
  private pending: Buffer[] = []
  /** What `seal` has set apart, a piece for each turn, the oldest first. */
  private sealed: Buffer[][] = []
  private pendingBytes = 0
  /** Replies to it are being written. */
  private isWriting = false
  private readonly backlog: Backlog = new Backlog()
  private inputEnded = false
  /** Has stopped for what is unsent, with requests left to be executed. */
  private stopped = false
  /** Has used up its share of the turn, perhaps with requests left to be executed: it goes on with the next one. */
  yielded = false
  readonly share: Share = new Share()
  /** Bytes that were given to the socket, and what became of them. */
  private written = 0
  private readonly taken: Taken
  /** The server has ended the connection, and since when the client has taken nothing more. */
  private endedSince: number | undefined
  /** When something has come that is not read any more: an end now could cost the client the reason. */
  private stillSending = 0

  /** @param trusted It need not authenticate. */
  constructor(id: number, server: Owner, socket: Socket, trusted: boolean) {
    this.id = id
    this.server = server
    this.socket = socket
    this.out = server.out
    const { settings } = server
    this.address = settings.socket ?? `${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`
    this.localAddress = settings.socket ?? `${socket.localAddress ?? ''}:${socket.localPort ?? 0}`
    this.parser = new RequestParser(limitsOf(settings), STRANGERS, trusted)
    this.taken = new Taken(socket)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    socket.on('data', chunk => this.receive(chunk))
    socket.on('drain', () => this.goOn())
    socket.on('end', () => {
      this.inputEnded = true
      this.server.turns.sendSoon(this)
    })
    // What follows an error is 'close'.
    socket.on('error', () => {})
    socket.on('close', () => this.end())
  }

  /** Executes a request, which lies in the buffer of the connection. */
  protected abstract execute(request: Arguments): void

  /** The client is gone: what it holds is given back. */
  protected abstract release(): void

  /** What comes next is not the client's to say: a reply or a push that it waits for. */
  protected abstract get awaitsServer(): boolean

  /** Has authenticated, or need not. */
  get authenticated(): boolean {
    return this.parser.trusted
  }

  trust(trusted: boolean): void {
    // A stranger who says RESET again and again has no more time for that.
    if (this.parser.trusted && !trusted) this.strangerSince = Date.now()
    this.parser.trusted = trusted
  }

  /** Bytes that have arrived and were not executed. */
  get unread(): number {
    return this.parser.waiting
  }

  /** Bytes that the client has not taken yet. */
  get unsent(): number {
    return this.pendingBytes + this.socket.writableLength
  }

  /** Has requests left that are not executed now. */
  private get waits(): boolean {
    return this.stopped || this.yielded
  }

  /** Bytes of memory that it takes for what its requests have left behind. */
  protected get heldByState(): number {
    return 0
  }

  account(): void {
    const held = this.closed ? 0 : this.parser.held + this.unsent + this.heldByState
    this.server.memory.used += held - this.held
    this.held = held
  }

  evict(reason: string): void {
    // Whoever does not take his replies would not take the reason either.
    if (this.unsent > LITTLE_UNSENT || this.busy || this.closing) this.destroy(reason)
    else {
      this.release()
      this.rejectRest(`ERR ${reason}: this client is closed since it holds the most`)
    }
  }

  private receive(chunk: Buffer): void {
    this.server.counts.received += chunk.length
    if (this.closing) {
      this.stillSending = Date.now()
      return
    }
    this.lastActive = this.server.turns.time
    this.parser.feed(chunk)
    if (this.busy || this.waits) {
      this.parser.settle()
      if (this.unread > this.server.settings.maxQueryBytes) this.destroy('query too large')
      else {
        this.read()
        this.account()
      }
    } else this.run()
  }

  /** Executes what has arrived. */
  private run(): void {
    const { out, parser, server, share } = this
    const { pauseOutputBytes, maxOutputBytes } = server.settings
    const { turns } = server
    const arrived = parser.waiting
    // Nothing is given to the socket before the turn ends.
    const { writableLength } = this.socket
    this.stopped = false
    const now = performance.now()
    share.begin(turns.number, turns.crowd, turns.hasOthers, turns.isLong(now), arrived, now)
    server.activity.begin(now)
    let executed = false
    this.open()
    try {
      while (!this.busy && !this.closing) {
        if (writableLength + this.pendingBytes + out.length >= pauseOutputBytes) {
          this.stopped = true
          break
        }
        if (share.isUsedUp(arrived - parser.waiting + out.length)) {
          this.yielded = true
          break
        }
        const step = parser.next()
        out.limitNext(maxOutputBytes)
        if (step === 'request') {
          executed = true
          this.execute(parser)
        } else {
          if (step === 'more') break
          server.log.debug('protocol error', { client: this.id, problem: parser.problem })
          out.error(`ERR ${parser.problem}`)
          this.closing = true
        }
      }
    } catch (error) {
      this.refuse(error)
    }
    this.collected()
    server.activity.endGroup()
    this.take()
    if (this.closing) parser.drop()
    else if (!this.yielded || !parser.isPartial) parser.settle()
    if (this.yielded) turns.goOnSoon(this)
    if (!parser.isPartial || this.busy || this.stopped || (this.yielded && executed)) this.partialSince = undefined
    else if (executed || this.partialSince === undefined) this.partialSince = turns.time
    // Whoever waits for a reply sends no more as a rule; if he does, reading stops then.
    if (!this.busy) this.read()
    this.account()
    server.memory.relieve()
  }

  /** What has arrived was gone through. */
  protected collected(): void {}

  private refuse(error: unknown): void {
    this.out.truncate(0)
    if (!(error instanceof TooMuchOutput)) throw error
    this.destroy('too much output')
  }

  /** No request is executed from `pauseOutputBytes` on: so any may have a reply of `maxOutputBytes`. */
  private get mostUnsent(): number {
    const { maxOutputBytes, pauseOutputBytes } = this.server.settings
    return maxOutputBytes + pauseOutputBytes
  }

  /** Begins to write replies. */
  private open(): void {
    this.isWriting = true
    this.out.begin(this.resp3, Math.max(0, this.mostUnsent - this.unsent))
  }

  /** Ends it: what was written waits to be sent. */
  private take(): void {
    this.isWriting = false
    const stretch = this.out.cut()
    if (stretch !== undefined && !this.closed) {
      this.pending.push(stretch)
      this.pendingBytes += stretch.length
    }
    if (this.pendingBytes > 0 || this.closing || this.inputEnded) this.server.turns.sendSoon(this)
  }

  /** Writes replies outside of `run`. Those written before stay before them. */
  answer(write: (out: ReplyWriter) => void): void {
    if (this.closed) return
    const { isWriting } = this
    this.take()
    this.open()
    this.out.limitNext(this.server.settings.maxOutputBytes)
    try {
      write(this.out)
    } catch (error) {
      this.refuse(error)
    }
    this.take()
    this.account()
    this.isWriting = isWriting
  }

  /** What `write` writes, in bytes of their own; nothing of it is sent. */
  protected capture(write: (out: ReplyWriter) => void): Buffer {
    const { isWriting, out } = this
    this.take()
    this.open()
    try {
      write(out)
      return Buffer.from(out.since(0))
    } finally {
      out.truncate(0)
      this.isWriting = isWriting
    }
  }

  /** Sends replies that lie ready, behind what was answered before. */
  protected reply(bytes: Buffer): void {
    if (this.closed) return
    this.take()
    if (bytes.length > 0) this.pending.push(bytes)
    this.pendingBytes += bytes.length
    this.server.turns.sendSoon(this)
    this.account()
  }

  /** Sends a message, behind what was answered before: others may be sent the same bytes. */
  deliver(message: Push): void {
    if (this.closing) return
    const bytes = message.bytes(this.resp3)
    if (this.isWriting) {
      try {
        this.out.raw(bytes)
      } catch {
        this.destroy('too much output')
      }
      return
    }
    this.pending.push(bytes)
    this.pendingBytes += bytes.length
    if (this.hasTooMuchUnsent()) this.destroy('too much output')
    else this.server.turns.sendSoon(this)
  }

  private hasTooMuchUnsent(): boolean {
    const { settings, turns } = this.server
    if (this.isSubscribed) return this.backlog.isTooMuch(this.unsent, settings, turns.time)
    return this.socket.writableLength > this.mostUnsent
  }

  /** The requests that follow wait until the work is done; `forOthers`: as of `wait`. */
  later(work: () => Promise<void>, forOthers: boolean = false): void {
    this.wait(forOthers)
    work().then(
      () => this.ready(),
      error => {
        this.server.log.error('internal error', { client: this.id, error: String(error) })
        this.ready()
        this.destroy('internal error')
      },
    )
  }

  /** The requests that follow wait until `ready`; `forOthers`: for what they do, unless the client ends its side. */
  wait(forOthers: boolean): void {
    this.take()
    this.busy = true
    this.waitsForOthers = forOthers
  }

  /** Goes on with the requests that have waited. */
  ready(): void {
    this.busy = false
    this.server.turns.sendSoon(this)
    this.goOn()
  }

  /** The next turn has come. */
  resume(): void {
    this.yielded = false
    this.goOn()
  }

  private goOn(): void {
    if (this.busy || this.closed || this.yielded) return
    if (!this.closing && (this.parser.isPartial || this.stopped)) this.run()
    else this.read()
  }

  /** Reads from the socket, or does not. One that is closing does: it waits for the client's end. */
  private read(): void {
    const { socket } = this
    const isReady = this.busy ? this.waitsForOthers && this.unread < AHEAD_BYTES : !this.waits
    const wanted = this.closing || isReady
    if (wanted === !socket.isPaused()) return
    if (wanted) socket.resume()
    else socket.pause()
  }

  /** The turn ends: what was written in it goes out with the next `send`, what is written from now on does not. */
  seal(): void {
    this.lastActive = this.server.turns.time
    this.sealed.push(this.pending)
    this.pending = []
  }

  /** What was sealed first is durable: it may go out. True if the socket has taken all of it. */
  send(): boolean {
    const { socket } = this
    if (this.closed) {
      this.sealed = []
      this.pending = []
      this.pendingBytes = 0
      return true
    }
    const due = this.sealed.shift() ?? []
    if (due.length > 0) {
      const bytes = due.reduce((sum, stretch) => sum + stretch.length, 0)
      this.server.counts.sent += bytes
      this.written += bytes
      this.pendingBytes -= bytes
      this.server.turns.joiner.write(socket, due, bytes)
    }
    this.account()
    const { writableLength } = socket
    const { pauseOutputBytes } = this.server.settings
    if (this.hasTooMuchUnsent()) this.destroy('too much output')
    else if (this.pendingBytes === 0 && !this.busy && (this.closing || (this.inputEnded && !this.waits))) {
      this.closing = true
      socket.end()
      this.endedSince ??= this.server.turns.time
    } else if (this.stopped && this.unsent < pauseOutputBytes) nextTurn(() => this.goOn())
    return writableLength === 0
  }

  /** Why the client is to be closed, if it has used up its time. */
  lateFor(now: number): string | undefined {
    const { authTimeout, requestTimeout, idleTimeout } = this.server.settings
    if (this.taken.hasGrown(this.written)) {
      this.lastActive = now
      if (this.endedSince !== undefined) this.endedSince = now
    }
    if (this.isSubscribed && this.hasTooMuchUnsent()) return 'too much output'
    if (this.endedSince !== undefined) {
      // Earlier replies may still be on their way to a slow reader.
      const hasAll = this.socket.writableLength === 0
      const isDone = hasAll && now - this.stillSending > LINGER_MS
      if (now - this.endedSince <= (isDone ? LINGER_MS : requestTimeout)) return undefined
      return hasAll ? 'connection not ended in time' : 'replies not taken in time'
    }
    if (!this.authenticated && now - this.strangerSince > authTimeout) return 'not authenticated in time'
    if (this.partialSince !== undefined && now - this.partialSince > requestTimeout) {
      this.rejectRest(`ERR Protocol error: the request has not arrived within ${requestTimeout} ms`)
      return undefined
    }
    if (this.inputEnded && this.busy && this.waitsForOthers && this.unsent === 0) return 'gone while it waited'
    return !this.awaitsServer && !this.listed && now - this.lastActive > idleTimeout ? 'idle' : undefined
  }

  /** What is arriving is not waited for any more: the client is told why, behind its earlier replies. */
  private rejectRest(message: string): void {
    this.server.log.info('request refused', { client: this.id, address: this.address, message })
    this.parser.drop()
    this.partialSince = undefined
    this.answer(out => out.error(message))
    this.endSoon()
  }

  /** Ends the connection once its replies are sent. */
  endSoon(): void {
    this.closing = true
    this.server.turns.sendSoon(this)
  }

  destroy(reason: string): void {
    if (this.closed) return
    this.server.log.info('client closed', { client: this.id, address: this.address, reason })
    this.closing = true
    this.socket.destroy()
    this.end()
  }

  private end(): void {
    if (this.closed) return
    this.closed = true
    this.closing = true
    this.pending = []
    this.sealed = []
    this.pendingBytes = 0
    this.release()
    this.parser.drop()
    this.account()
    this.server.left(this)
  }
}
