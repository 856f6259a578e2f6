/** Commands that wait to be executed, and those that wait for the outcome of their group. */
import { NotLeaderError, XenonError } from '../errors.ts'
import type { Clock } from './clock.ts'
import type { MessageKind } from './message.ts'

/** What a command's message is, when it has one of its own. */
export interface RecordKind {
  readonly kind: MessageKind
  readonly note: Uint8Array
}

/** What is to be done. */
export interface Task {
  readonly run: () => unknown
  readonly record: RecordKind | undefined
  /** An interactive transaction of the store, which the group takes in; `run` only objects to it. */
  readonly transaction: unknown
}

/** A task, and who waits for its result. */
export class Command implements Task {
  readonly run: () => unknown
  readonly record: RecordKind | undefined
  readonly transaction: unknown
  /** By `Clock.now()`. */
  readonly deadline: number
  isAnswered = false
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void

  constructor(
    { run, record, transaction }: Task,
    deadline: number,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ) {
    this.run = run
    this.record = record
    this.transaction = transaction
    this.deadline = deadline
    this.resolve = resolve
    this.reject = reject
  }
}

const notExecuted = (): NotLeaderError =>
  new NotLeaderError('no leader of the shard could write in time; nothing was executed: try again')

/** How often deadlines are looked at. */
const SWEEP_MS = 100

export class Commands {
  readonly #clock: Clock
  readonly #most: number
  #waiting: Command[] = []
  /** Index of the first one in `#waiting` that still waits. */
  #head = 0
  /** Those whose message is on its way, or was; who has been answered leaves with the next sweep. */
  #open: readonly Command[] = []
  #isSweeping = false

  constructor(clock: Clock, most: number) {
    this.#clock = clock
    this.#most = most
  }

  get length(): number {
    return this.#waiting.length - this.#head
  }

  /** A task that may wait so long: rejects at once if too many wait. */
  add(task: Task, holdMs: number): Promise<unknown> {
    if (this.length >= this.#most)
      return Promise.reject(
        new XenonError('XENON_FULL', `${this.#most} commands wait for this shard already; try again later`),
      )
    return new Promise((resolve, reject) => {
      this.#waiting.push(new Command(task, this.#clock.now() + holdMs, resolve, reject))
      this.#sweepLater()
    })
  }

  /** The next one, which is about to be executed. */
  take(): Command | undefined {
    const command = this.#waiting[this.#head]
    if (command === undefined) return undefined
    this.#head++
    if (this.#head === this.#waiting.length || this.#head > 1024) {
      this.#waiting = this.#waiting.slice(this.#head)
      this.#head = 0
    }
    return command
  }

  /** The next one, which stays where it is. */
  peek(): Command | undefined {
    return this.#waiting[this.#head]
  }

  /** Puts back what was taken and had no effect, to be the next. */
  putBack(commands: readonly Command[]): void {
    this.#open = []
    // Its transaction has ended with the group.
    for (const command of commands) if (command.transaction !== undefined) this.reject(command, notExecuted())
    this.#waiting = [...commands.filter(({ isAnswered }) => !isAnswered), ...this.#waiting.slice(this.#head)]
    this.#head = 0
    this.#sweepLater()
  }

  /** The message of these is on its way: those before them have their outcome. (X1) */
  opened(commands: readonly Command[]): void {
    this.#open = commands
  }

  resolve(command: Command, value: unknown): void {
    if (!command.isAnswered) command.resolve(value)
    command.isAnswered = true
  }

  reject(command: Command, error: unknown): void {
    if (!command.isAnswered) command.reject(error)
    command.isAnswered = true
  }

  /** Refuses all that wait: nothing of them was executed. */
  rejectWaiting(makeError: () => unknown): void {
    const waiting = this.#waiting.slice(this.#head)
    this.#waiting = []
    this.#head = 0
    for (const command of waiting) this.reject(command, makeError())
  }

  #sweepLater(): void {
    if (this.#isSweeping) return
    this.#isSweeping = true
    this.#clock.after(SWEEP_MS, () => {
      this.#isSweeping = false
      this.#sweep()
      if (this.length + this.#open.length > 0) this.#sweepLater()
    })
  }

  #sweep(): void {
    const now = this.#clock.now()
    const late = this.#waiting.slice(this.#head).filter(({ deadline }) => deadline <= now)
    if (late.length > 0) {
      this.#waiting = this.#waiting.slice(this.#head).filter(({ deadline }) => deadline > now)
      this.#head = 0
      for (const command of late) this.reject(command, notExecuted())
    }
    this.#open = this.#open.filter(({ isAnswered }) => !isAnswered)
    for (const command of this.#open)
      if (command.deadline <= now)
        this.reject(
          command,
          new XenonError(
            'XENON_OUTCOME_UNKNOWN',
            'the command was executed, and the log has not said in time whether it has it: read to see',
          ),
        )
  }
}
