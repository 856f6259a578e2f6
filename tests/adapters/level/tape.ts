/** As much of tape as the suite of abstract-level uses, as tests of vitest, with a count of the assertions. */
import { isDeepStrictEqual } from 'node:util'
import { test } from 'vitest'

export interface Tally {
  tests: number
  assertions: number
}

type Body = (t: Assertions) => unknown

/** Registers each test of a suite as a test of vitest. */
export function tape(tally: Tally): (name: string, body: Body) => void {
  return (name, body) => {
    test(name, async () => {
      tally.tests++
      await run(body, tally)
    })
  }
}

/** A test is over when its promise resolves; without a promise, at `end()` or after as many assertions as planned. */
async function run(body: Body, tally: Tally): Promise<void> {
  const t = new Assertions(tally)
  const result = body(t)
  if (isPromise(result)) await result
  if (!isPromise(result) || t.planned !== undefined) await t.over
  // What comes too late to be planned for.
  await new Promise(resolve => setImmediate(resolve))
  if (t.planned !== undefined && t.count !== t.planned)
    throw new Error(`${t.planned} assertions were planned, ${t.count} made`)
  if (t.failures.length > 0) throw t.failures[0]
}

class Assertions {
  planned: number | undefined
  count = 0
  readonly failures: Error[] = []
  readonly over: Promise<void>
  private readonly tally: Tally
  private finish: () => void = () => {}

  constructor(tally: Tally) {
    this.tally = tally
    this.over = new Promise(resolve => {
      this.finish = resolve
    })
  }

  plan(count: number): void {
    this.planned = count
    if (count === 0) this.finish()
  }

  end(error?: unknown): void {
    if (error !== undefined) this.check(false, `ended with ${String(error)}`)
    this.finish()
  }

  async test(_name: string, body: Body): Promise<void> {
    await run(body, this.tally)
    this.check(true, '')
  }

  ok(value: unknown, message?: string): void {
    this.check(Boolean(value), message ?? `${String(value)} is not true`)
  }

  pass(): void {
    this.check(true, '')
  }

  fail(message: unknown): void {
    this.check(false, message instanceof Error ? String(message.stack) : String(message))
  }

  is(actual: unknown, expected: unknown, message: string = ''): void {
    this.check(Object.is(actual, expected), `${message}: ${show(actual)} is not ${show(expected)}`)
  }

  isNot(actual: unknown, expected: unknown, message: string = ''): void {
    this.check(!Object.is(actual, expected), `${message}: ${show(actual)} was not expected`)
  }

  same(actual: unknown, expected: unknown, message: string = ''): void {
    this.check(isDeepStrictEqual(actual, expected), `${message}: ${show(actual)} is not like ${show(expected)}`)
  }

  throws(action: () => unknown, expected?: RegExp | ((error: unknown) => boolean), message: string = ''): void {
    try {
      action()
    } catch (error) {
      const fits =
        expected === undefined || (expected instanceof RegExp ? expected.test(String(error)) : expected(error) === true)
      this.check(fits, `${message}: threw ${String(error)}`)
      return
    }
    this.check(false, `${message}: threw nothing`)
  }

  doesNotThrow(action: () => unknown, message: string = ''): void {
    try {
      action()
      this.check(true, '')
    } catch (error) {
      this.check(false, `${message}: threw ${String(error)}`)
    }
  }

  private check(holds: boolean, message: string): void {
    this.count++
    if (holds) this.tally.assertions++
    else this.failures.push(new Error(message))
    if (this.count === this.planned) this.finish()
  }
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as { then?: unknown } | undefined)?.then === 'function'
}

function show(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
