/** A tab among those that share a database: its page, which starts a worker, and reaches the owner. */
import { OwnerLostError, XenonError } from '../errors.ts'
import { Member, type Role, type Target } from '../owned/member.ts'
import { clearInterval, clearTimeout, performance, setInterval, setTimeout } from '../runtime/timers.ts'
import type { ValueEncoding } from '../types.ts'
import { PortDatabase } from '../worker/client.ts'
import { revived } from '../worker/errors.ts'
import type { PortLike, Request } from '../worker/protocol.ts'
import { type Batching, batched } from './batches.ts'
import type { ResolvedBrowserOptions } from './options.ts'
import { type Answer, type Asked, hold, lockOf, type OwnerFacts, type Said, type Told, whenGone } from './tabs.ts'
import { channelNamed, type Line, type Locks, locksHere, type WorkerLike } from './web.ts'

/** An owner, as this tab has heard of it; `port`: of its own worker. */
interface Offer {
  readonly facts: OwnerFacts
  readonly port: Line | undefined
}

interface TabTarget<V, K> extends Target<V, K> {
  readonly facts: OwnerFacts
  readonly store: PortDatabase<V, K>
  /** `sent`: what it has not answered it may have done, or not. */
  lost(sent: boolean): void
}

/** Calls with nothing in them that somebody may change meanwhile. */
const CALLS: Batching = {
  mayWait: message => {
    const { method, args } = message as Partial<Request>
    return (method === 'get' || method === 'has') && typeof args?.[0] === 'string'
  },
}

/** Milliseconds after which it asks again: nobody promises that a channel loses nothing. */
const ASK_AGAIN_MS = 500
/** Milliseconds that the own worker has to close. */
const CLOSING_MS = 5000

export class TabMember<V, K> extends Member<V, K> {
  isPersistent = false
  protected readonly owner: string
  private readonly name: string
  private readonly options: ResolvedBrowserOptions
  private readonly locks: Locks
  private readonly channel: Line
  private worker: WorkerLike
  /** The worker listens: what was sent before would be lost if it awaits something first. */
  private isReady = false
  /** Its script could not be loaded: the next time that there is no owner another one is started. */
  private isBroken = false
  private isLooking = false
  /** The owner that was heard of last, or why the own worker cannot be one; until it is tried. */
  private news: Offer | { error: unknown } | undefined
  /** The same of the own worker, which says it once: what comes late from one that has gone must not take its place. */
  private own: Offer | undefined
  private wake: (() => void) | undefined
  private workerClosed: (() => void) | undefined

  constructor(name: string, options: ResolvedBrowserOptions, onRole: (role: Role) => void) {
    super(onRole)
    this.name = name
    this.owner = `the tab that had '${name}' open`
    this.options = options
    this.locks = locksHere()
    this.channel = channelNamed(lockOf(name))
    this.worker = this.startWorker()
    this.channel.addEventListener('message', ({ data }) => {
      const said = data as Said
      // Of the own worker a port comes.
      if ('owner' in said && typeof said.owner === 'object' && said.owner.member !== this.options.settings.member)
        this.hear({ facts: said.owner, port: undefined })
    })
  }

  /** What goes to another thread is a copy. */
  override copierOf<T>(_: ValueEncoding<T> | undefined): (value: T) => T {
    return value => {
      try {
        return structuredClone(value)
      } catch {
        // It is refused when it is sent.
        return value
      }
    }
  }

  private startWorker(): WorkerLike {
    const worker = this.options.worker()
    this.isReady = false
    this.isBroken = false
    worker.addEventListener('message', (({ data }: { data: Told | undefined }) => {
      if (worker !== this.worker) return
      if (data?.xenondb === 'ready') this.begin(worker)
      if (data?.xenondb === 'owner') this.hear({ facts: data.facts, port: data.port })
      if (data?.xenondb === 'failed') this.tell({ error: revived(data.error) })
      if (data?.xenondb === 'closed') this.workerClosed?.()
    }) as never)
    worker.addEventListener('error', ((event: { message?: string; error?: unknown }) => {
      if (worker !== this.worker) return
      this.isBroken = !this.isReady
      const problem = `the worker of '${this.name}' has failed: ${event.message ?? 'its script could not be loaded'}`
      this.tell({ error: new XenonError('XENON_NOT_SUPPORTED', problem, { cause: event.error }) })
    }) as never)
    return worker
  }

  private restartWorker(): void {
    this.worker.terminate()
    this.worker = this.startWorker()
  }

  private begin(worker: WorkerLike): void {
    const { open, settings } = this.options
    worker.postMessage({ xenondb: 'open', name: this.name, options: open, settings } satisfies Asked)
    this.isReady = true
    if (this.isLooking) this.ask('look')
  }

  /** Who is the owner: there is one at a time. */
  private hear(offer: Offer): void {
    const current = this.current as TabTarget<V, K> | undefined
    // That the one before has gone says its lock, or its own word.
    if (current?.facts.id !== offer.facts.id) this.tell(offer)
  }

  private tell(news: Offer | { error: unknown }): void {
    if ('port' in news && news.port !== undefined) this.own = news
    else this.news = news
    this.wake?.()
  }

  protected override stopLooking(): void {
    this.wake?.()
  }

  protected override async findOwner(): Promise<Target<V, K> | undefined> {
    const { ownerTimeout } = this.options
    const deadline = performance.now() + ownerTimeout
    // It may have been another owner that kept the worker from being one.
    if (this.news !== undefined && 'error' in this.news) this.news = undefined
    if (this.isBroken) this.restartWorker()
    this.isLooking = true
    if (this.isReady) this.ask('look')
    this.channel.postMessage({ who: true } satisfies Said)
    while (!this.closed) {
      const news = this.own ?? this.news
      if (this.own === undefined) this.news = undefined
      this.own = undefined
      if (news === undefined) {
        await this.moreNews(deadline)
        if (this.own !== undefined || this.news !== undefined) continue
        if (performance.now() > deadline)
          throw new OwnerLostError(`no tab had '${this.name}' open within ${ownerTimeout} ms`, false)
        this.channel.postMessage({ who: true } satisfies Said)
      } else if ('error' in news) throw news.error
      else {
        const target =
          news.port === undefined ? await this.join(news.facts, deadline) : this.enter(news.facts, news.port)
        if (target !== undefined) {
          this.isPersistent = news.facts.isPersistent
          return target
        }
        this.channel.postMessage({ who: true } satisfies Said)
      }
    }
    return undefined
  }

  private moreNews(deadline: number): Promise<void> {
    return new Promise(resolve => {
      const end = (): void => {
        this.wake = undefined
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(end, Math.min(ASK_AGAIN_MS, deadline - performance.now() + 1))
      this.wake = end
    })
  }

  /** The own worker is the owner. */
  private enter(facts: OwnerFacts, port: Line): Target<V, K> {
    const forget = whenGone(this.locks, lockOf(this.name, facts.id), () => {
      // It has ended without a word.
      this.restartWorker()
      target.lost(true)
    })
    const target = this.targetAt('owner', facts, port, forget)
    return target
  }

  /** Another tab's worker is the owner. Undefined if it has gone meanwhile. */
  private async join(facts: OwnerFacts, deadline: number): Promise<Target<V, K> | undefined> {
    const id = globalThis.crypto.randomUUID()
    const lock = lockOf(this.name, id)
    const release = await hold(this.locks, lock)
    const line = channelNamed(lock)
    let target: TabTarget<V, K> | undefined
    let settle: (answer: Answer | undefined) => void = () => {}
    const answered = new Promise<Answer | undefined>(resolve => {
      settle = resolve
    })
    const forget = whenGone(this.locks, lockOf(this.name, facts.id), () => {
      settle(undefined)
      target?.lost(true)
    })
    const leave = (): void => {
      forget()
      release()
    }
    line.addEventListener('message', ({ data }) => {
      if ('joined' in (data as Answer) || 'refused' in (data as Answer)) settle(data as Answer)
    })
    const { expected } = this.options
    const ask = (): void => this.channel.postMessage({ join: id, owner: facts.id, expected } satisfies Said)
    const timer = setInterval(() => (performance.now() > deadline ? settle(undefined) : ask()), ASK_AGAIN_MS)
    ask()
    const answer = await answered
    clearInterval(timer)
    if (answer?.joined !== true) {
      leave()
      line.close()
      if (answer?.refused !== undefined) throw revived(answer.refused)
      return undefined
    }
    target = this.targetAt('follower', facts, line, leave)
    return target
  }

  private targetAt(role: 'owner' | 'follower', facts: OwnerFacts, given: Line, leave: () => void): TabTarget<V, K> {
    const line = batched(given, CALLS)
    const store = new PortDatabase<V, K>(line as unknown as PortLike)
    const target: TabTarget<V, K> = {
      role,
      facts,
      store,
      isLocal: false,
      isOver: false,
      async close() {
        await store.close()
        leave()
      },
      lost: sent => {
        if (target.isOver) return
        target.isOver = true
        store.lose(sent)
        line.close()
        leave()
        this.lose(target)
      },
    }
    line.addEventListener('message', ({ data }) => {
      if ('bye' in (data as Answer)) target.lost(false)
    })
    return target
  }

  protected override async end(): Promise<void> {
    const patience = new Promise<void>(resolve => setTimeout(resolve, CLOSING_MS))
    const closed = new Promise<void>(resolve => {
      this.workerClosed = resolve
    })
    if (this.isReady) {
      this.ask('close')
      await Promise.race([closed, patience])
    }
    this.worker.terminate()
    this.channel.close()
  }

  private ask(what: 'look' | 'close'): void {
    this.worker.postMessage({ xenondb: what } satisfies Asked)
  }
}
