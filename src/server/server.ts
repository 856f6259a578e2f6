/**
 * The server: listens, accepts clients, closes those that are late, and goes on with another handle of the database, or
 * ends, when the storage has failed.
 */
import { randomBytes } from 'node:crypto'
import { chmodSync } from 'node:fs'
import { createServer as createPlainServer, type Socket, type Server as SocketServer } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import type { Database } from '../database/database.ts'
import { DiskFullError, InvalidArgumentError, isError, isFull, XenonError } from '../errors.ts'
import { clearInterval, clearTimeout, nextTurn, setInterval, setTimeout } from '../runtime/timers.ts'
import { Databases } from './commands/databases.ts'
import { VERSION as REDIS_VERSION } from './commands/info.ts'
import { Keyspace } from './commands/keyspace.ts'
import { Observation } from './commands/observation.ts'
import { SlottedKeyspace } from './commands/slotted.ts'
import { ClusterSession } from './connection/cluster-session.ts'
import type { Connection } from './connection/connection.ts'
import { LockWaits } from './connection/lock-waits.ts'
import { Session, type SessionOwner } from './connection/session.ts'
import { Turns, type TurnsOwner } from './connection/turns.ts'
import { ReplyWriter } from './protocol/reply.ts'
import { Scripts } from './scripting/scripts.ts'
import { Activity } from './service/activity.ts'
import { Announcements } from './service/announcements.ts'
import { Channels } from './service/channels.ts'
import { ClientMemory } from './service/client-memory.ts'
import type { Cluster } from './service/cluster.ts'
import { Counts, Samples } from './service/counts.ts'
import { descriptorsForClients } from './service/descriptors.ts'
import { KeyEvents, parseClasses } from './service/key-events.ts'
import { Log } from './service/log.ts'
import { type MetricsServer, serveMetrics } from './service/metrics.ts'
import { type Address, resolveServerOptions, type ServerOptions, type Settings } from './service/options.ts'
import { Password } from './service/password.ts'
import { Pause } from './service/pause.ts'
import { freeSocketPath } from './service/socket-path.ts'
import { refusal, StandIn, type StandInOwner } from './service/stand-in.ts'
import { Tracking } from './service/tracking.ts'

/** More does not go into a timer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1
/** Refused clients that are waited for. */
const MOST_LINGERING = 8
/** Time that clients have to take their last replies. */
const GRACE_MS = 2000

/** A server that speaks the Redis protocol over a database, from `createServer`. */
export class Server implements SessionOwner, TurnsOwner, StandInOwner {
  /** Another one than was given, once that has failed on a full disk and `reopen` has opened it again. */
  db: Database<unknown, unknown>
  /** @internal The options, checked, with their defaults. */
  readonly settings: Settings
  /** @internal */
  readonly log: Log
  /** @internal The records of the root as commands know them. */
  keys: Keyspace
  /** @internal What SELECT chooses from. */
  databases: Databases
  /** @internal */
  readonly scripts: Scripts
  /** @internal */
  readonly out: ReplyWriter = new ReplyWriter()
  /** @internal */
  readonly password: Password | undefined
  /** @internal The clients, by their numbers. */
  readonly sessions: Map<number, Session> = new Map()
  /** @internal What they hold. */
  readonly memory: ClientMemory
  /** @internal What the operator has allowed: CONFIG SET goes no further. */
  readonly bounds: Settings
  /** @internal Commands that wait for locks. */
  readonly lockWaits: LockWaits
  /** When it was made, in milliseconds since 1970. */
  readonly started: number = Date.now()
  /** Resolves when the server has closed, by `close` or SHUTDOWN; rejects when the storage has failed. */
  readonly done: Promise<void>
  /** @internal */
  readonly turns: Turns = new Turns(this)
  lastSave: number = Math.floor(this.started / 1000)
  /** @internal What has happened since it was made, or since `CONFIG RESETSTAT`. */
  readonly counts: Counts = new Counts()
  /** @internal */
  readonly samples: Samples = new Samples(this.counts)
  /** @internal */
  readonly announcements: Announcements = new Announcements()
  /** @internal */
  readonly channels: Channels = new Channels(this.announcements)
  /** @internal */
  readonly activity: Activity
  /** @internal */
  readonly pause: Pause = new Pause()
  /** @internal Caches of clients. */
  readonly tracking: Tracking
  /** @internal What others are told of changed keys. */
  readonly observation: Observation
  /** @internal What tells it from every other one that was or will be started: 40 hexadecimal digits. */
  readonly runId: string = randomBytes(20).toString('hex')
  failure: unknown
  /** How often another handle has taken the place of one that had failed. */
  reopened = 0
  private readonly standIn: StandIn | undefined
  private readonly sockets: SocketServer
  private bound: Address | undefined
  private metrics: MetricsServer | undefined
  private nextId = 1
  private readonly sessionClass: typeof Session
  /** Clients that were refused and have not gone yet. */
  private lingering = 0
  /** When the log has told last that a client was refused. */
  private refusalLogged = 0
  private timer: ReturnType<typeof setInterval> | undefined
  private closing: Promise<void> | undefined
  private emptied: (() => void) | undefined
  /** It runs beside what else the program does: it ends with that, and keeps nothing alive. */
  readonly isAside: boolean
  private settleDone: { resolve: () => void; reject: (error: unknown) => void } = {
    resolve: () => {},
    reject: () => {},
  }

  /** @internal What it is a node of, if it is one. */
  readonly cluster: Cluster | undefined

  /** @internal Use `createServer`. */
  constructor(db: Database<unknown, unknown>, options: ServerOptions, isAside: boolean = false, cluster?: Cluster) {
    this.isAside = isAside
    this.cluster = cluster
    this.settings = resolveServerOptions(options)
    const { settings } = this
    this.bounds = { ...settings }
    this.memory = new ClientMemory(settings, this.sessions, this.counts)
    this.tracking = new Tracking(this.sessions, settings)
    const events = new KeyEvents(this.channels)
    events.classes = parseClasses(settings.notifyKeyspaceEvents) ?? 0
    this.observation = new Observation(events, this.tracking, this.announcements)
    this.db = db
    this.log = new Log(settings.logLevel, settings.log)
    this.keys = this.openKeys()
    this.databases = this.openDatabases()
    this.scripts = new Scripts(settings, REDIS_VERSION)
    this.observe()
    if (settings.readOnly) this.keys.refusal = this.onlyReads
    const { reopen } = settings
    this.standIn = reopen && new StandIn(this, reopen)
    if (db.readOnly && this.standIn !== undefined) {
      this.keys.refusal = refusal()
      this.standIn.wait()
    }
    this.lockWaits = new LockWaits(settings.lockTimeout)
    this.activity = new Activity(settings)
    this.password = settings.password === undefined ? undefined : new Password(settings.password)
    this.done = new Promise((resolve, reject) => {
      this.settleDone = { resolve, reject }
    })
    this.done.catch(() => {})
    const { tls } = settings
    if (tls === undefined) this.sockets = createPlainServer({ allowHalfOpen: true }, socket => this.accept(socket))
    else {
      const { key, cert, ca } = tls
      const asked = ca === undefined ? {} : { ca: ca as Buffer, requestCert: true, rejectUnauthorized: true }
      this.sockets = createTlsServer(
        {
          key: key as Buffer,
          cert: cert as Buffer,
          minVersion: 'TLSv1.2',
          handshakeTimeout: Math.min(settings.authTimeout, LONGEST_TIMER_MS),
          ...asked,
        },
        socket => this.accept(socket),
      )
      this.sockets.on('tlsClientError', error => this.log.debug('TLS error', { error: error.message }))
    }
    this.sockets.on('error', error => this.log.error('socket error', { error: error.message }))
    this.sessionClass = cluster === undefined ? Session : ClusterSession
    cluster?.onChange(() => this.clusterChanged(cluster))
  }

  /** Another leader changes keys without a word to those who watch them here. */
  private clusterChanged({ isLeader }: Cluster): void {
    this.observation.isFromElsewhere = !isLeader
    if (isLeader) return
    for (const session of this.sessions.values()) if (session.watched.size > 0) session.dirty = true
  }

  /** Where it listens, once it does. */
  get address(): Address | undefined {
    return this.bound
  }

  get onlyReads(): XenonError {
    const way = this.isAside ? "; the program that has the database open can let it write, with inspect: 'write'" : ''
    return new XenonError('XENON_READ_ONLY', `this server is for reading alone${way}`)
  }

  /** The address of /metrics and /health. */
  get metricsAddress(): { host: string; port: number } | undefined {
    return this.metrics?.address
  }

  /**
   * Begins to accept clients.
   * @example const address = await server.listen()
   */
  async listen(): Promise<Address> {
    if (this.bound !== undefined || this.closing !== undefined)
      throw new InvalidArgumentError('this server has been told to listen before; create another one')
    const { settings, sockets } = this
    if (settings.socket !== undefined && !isPipe(settings.socket)) await freeSocketPath(settings.socket)
    await new Promise<void>((resolve, reject) => {
      sockets.once('error', reject)
      const listening = (): void => {
        sockets.off('error', reject)
        resolve()
      }
      if (settings.socket !== undefined) sockets.listen(settings.socket, listening)
      else sockets.listen({ host: settings.host, port: settings.port, backlog: 1024 }, listening)
    })
    if (this.isAside) sockets.unref()
    if (settings.socket !== undefined) {
      if (!isPipe(settings.socket)) chmodSync(settings.socket, this.isAside ? 0o600 : 0o700)
      this.bound = { socket: settings.socket }
    } else {
      const { port } = sockets.address() as { port: number }
      this.bound = { host: settings.host, port }
    }
    this.limitClients()
    if (settings.metricsPort !== undefined) this.metrics = await serveMetrics(this, settings.metricsPort)
    const { authTimeout, requestTimeout, idleTimeout, transactionTimeout } = settings
    const shortest = Math.min(authTimeout, requestTimeout, idleTimeout, transactionTimeout)
    this.timer = setInterval(() => this.closeLateClients(), Math.max(10, Math.min(1000, shortest / 4)))
    this.timer.unref()
    this.log.info('listening', this.bound)
    return this.bound
  }

  /** No more clients than there are file descriptors for. */
  private limitClients(): void {
    const { settings, bounds, log } = this
    const { maxClients } = settings
    const most = descriptorsForClients() ?? maxClients
    if (most >= maxClients) return
    settings.maxClients = most
    bounds.maxClients = most
    log.warn('there are too few file descriptors for maxClients: raise ulimit -n', {
      asked: maxClients,
      maxClients: most,
    })
  }

  /** @internal CONFIG RESETSTAT. */
  resetCounts(): void {
    this.counts.reset(this.sessions.size)
    this.activity.reset()
    this.out.errors.clear()
  }

  /**
   * Stops accepting, answers what has arrived, makes it durable, and ends all connections. The database stays open.
   * @example await server.close()
   */
  close(): Promise<void> {
    this.closing ??= this.shutDown()
    return this.closing
  }

  /** Commands since it was made, or since `CONFIG RESETSTAT`. */
  get commandsProcessed(): number {
    return this.counts.commands
  }

  /** Connections that were accepted or refused since then. */
  get connectionsReceived(): number {
    return this.counts.connections
  }

  /** Of these, those that were refused since there were `maxClients` already, or the server was closing. */
  get connectionsRefused(): number {
    return this.counts.refused
  }

  /** Bytes of replies that were sent since then. */
  get bytesSent(): number {
    return this.counts.sent
  }

  /** @internal The database closes: what is on its way is not answered any more. */
  stopNow(): void {
    this.closing ??= Promise.resolve()
    clearInterval(this.timer)
    this.standIn?.stop()
    this.sockets.close()
    for (const session of [...this.sessions.values()]) session.destroy('the database closes')
    this.settleDone.resolve()
  }

  private async shutDown(): Promise<void> {
    this.log.info('closing', { clients: this.sessions.size })
    clearInterval(this.timer)
    this.standIn?.stop()
    const closed = new Promise<void>(resolve => this.sockets.close(() => resolve()))
    const empty = new Promise<void>(resolve => {
      this.emptied = resolve
    })
    for (const session of this.sessions.values()) session.endSoon()
    if (this.sessions.size > 0) {
      const grace: ReturnType<typeof setTimeout> = setTimeout(() => {
        for (const session of [...this.sessions.values()]) session.destroy('the server closes')
      }, GRACE_MS)
      if (this.isAside) grace.unref()
      await empty
      clearTimeout(grace)
    }
    if (this.bound !== undefined) await closed
    await this.metrics?.close()
    this.log.info('closed')
    if (this.failure === undefined) this.settleDone.resolve()
    else this.settleDone.reject(this.failure)
  }

  private accept(socket: Socket): void {
    this.counts.connections++
    if (this.sessions.size >= this.settings.maxClients || this.closing !== undefined) {
      this.refuse(socket)
      return
    }
    if (this.isAside) socket.unref()
    const session = new this.sessionClass(this.nextId++, this, socket)
    this.sessions.set(session.id, session)
    this.log.debug('client connected', { client: session.id, address: session.address })
  }

  private refuse(socket: Socket): void {
    const { counts, log, sessions } = this
    counts.refused++
    socket.on('error', () => {})
    socket.end('-ERR max number of clients reached\r\n')
    // It has some time to read that, unless there are many: each has a file descriptor.
    if (this.lingering >= MOST_LINGERING) socket.destroySoon()
    else {
      this.lingering++
      socket.once('close', () => this.lingering--)
      setTimeout(() => socket.destroy(), 100).unref()
    }
    const now = Date.now()
    if (now - this.refusalLogged < 1000) return
    this.refusalLogged = now
    log.warn('clients are refused', { clients: sessions.size, refused: counts.refused })
  }

  /** @internal The client is gone. */
  left({ id }: Connection): void {
    this.sessions.delete(id)
    this.lockWaits.wake()
    if (this.sessions.size === 0) this.emptied?.()
  }

  /** The disk is full, so that writes are refused: by the database, or because it could be opened for reading alone. */
  get diskFull(): boolean {
    return this.keys.refusal instanceof DiskFullError || (!this.db.closed && this.db.stats().disk.full)
  }

  /** @internal Another handle takes the place of the one there was; `refusal`: it is for reading alone. */
  adopt(db: Database<unknown, unknown>, refusal: DiskFullError | undefined): void {
    // What belongs to the old handle goes with it.
    for (const session of [...this.sessions.values()])
      if (session.hasState) session.destroy('the database was opened again')
    this.db = db
    this.keys = this.openKeys()
    this.databases = this.openDatabases()
    // Caches may be older than what was recovered.
    this.observation.cleared()
    this.observation.isOn = false
    this.observe()
    this.keys.refusal = this.settings.readOnly ? this.onlyReads : refusal
    this.failure = undefined
    this.reopened++
  }

  /** Whoever looks into a database that a program has open means the root by the root. */
  /** @internal Listens to what changes keys if somebody asks for it, or no more if nobody does. */
  observe(): void {
    const { observation, databases, db } = this
    if (observation.isOn === observation.isWanted || db.closed) return
    observation.isOn = observation.isWanted
    databases.observe(observation.isOn)
  }

  private openKeys(): Keyspace {
    const { db, settings, counts, observation, cluster } = this
    if (cluster === undefined) return new Keyspace(db.asBytes(), settings, counts, observation)
    return new SlottedKeyspace(db.asBytes(), settings, counts, observation, cluster.slots)
  }

  private openDatabases(): Databases {
    const hasOne = this.isAside || this.cluster !== undefined
    return new Databases(this.keys, hasOne ? 1 : this.settings.databases, this.db.encodingNames)
  }

  /** @internal */
  giveUp(error: unknown): void {
    this.failure ??= error
    this.log.error('the database could not be opened again', {
      error: error instanceof Error ? error.message : String(error),
    })
    void this.close()
  }

  /**
   * @internal The storage has failed: what was written is not answered any more. The server closes, unless the disk was
   *   full
   * and the database can be opened again.
   */
  fail(error: unknown): void {
    if (this.failure !== undefined) return
    this.failure = error
    this.log.error('the storage has failed', {
      error: isError(error) ? error.message : String(error),
    })
    nextTurn(() => {
      for (const session of [...this.sessions.values()]) session.destroy('the storage has failed')
      if (this.standIn !== undefined && this.closing === undefined && isFull(error)) this.standIn.begin()
      else void this.close()
    })
  }

  private closeLateClients(): void {
    const now = Date.now()
    this.turns.time = now
    this.samples.take(now)
    for (const session of this.sessions.values()) session.account()
    this.memory.relieve()
    for (const session of [...this.sessions.values()]) {
      const reason = session.lateFor(now)
      if (reason !== undefined) session.destroy(reason)
    }
  }
}

/** A named pipe of Windows, which is no file. */
const isPipe = (path: string): boolean => path.startsWith('\\\\.\\pipe\\')
