/** In the place of vitest in a page: the tests of the contract, and what they expect, without anything of Node. */
import { chai, JestAsymmetricMatchers, JestChaiExpect, JestExtend } from '@vitest/expect'

chai.use(JestExtend)
chai.use(JestChaiExpect)
chai.use(JestAsymmetricMatchers)

export const expect: typeof chai.expect = chai.expect

interface Test {
  name: string
  body: () => unknown
}

export const tests: Test[] = []
let group = ''
let isSkipped = false

type Body = (...args: never[]) => unknown

const add = (name: string, body: Body): void => {
  if (!isSkipped) tests.push({ name: `${group}: ${name}`, body: body as () => unknown })
}

interface Adding {
  (name: string, body: Body): void
  each(cases: readonly (readonly unknown[])[]): (name: string, body: Body) => void
  skipIf(skipped: boolean | undefined): Adding
}

const adding = (skipped: boolean): Adding => {
  const one = (name: string, body: Body): void => (skipped ? undefined : add(name, body))
  return Object.assign(one, {
    each: (cases: readonly (readonly unknown[])[]) => (name: string, body: Body) => {
      for (const given of cases) one(name.replace('%s', String(given[0])), () => body(...(given as readonly never[])))
    },
    skipIf: (isSo: boolean | undefined) => adding(skipped || isSo === true),
  })
}

export const test: Adding = adding(false)

const gather = (name: string, body: () => void, skipped: boolean): void => {
  const [outer, before] = [group, isSkipped]
  group = name
  isSkipped ||= skipped
  body()
  group = outer
  isSkipped = before
}

interface Gathering {
  (name: string, body: () => void): void
  skipIf(skipped: boolean | undefined): (name: string, body: () => void) => void
}

export const describe: Gathering = Object.assign((name: string, body: () => void) => gather(name, body, false), {
  skipIf: (skipped: boolean | undefined) => (name: string, body: () => void) => gather(name, body, skipped === true),
})

export interface Outcome {
  passed: number
  failures: string[]
}

/** Runs the tests that were gathered, one after the other. */
export const runAll = async (timeout: number): Promise<Outcome> => {
  const outcome: Outcome = { passed: 0, failures: [] }
  for (const { name, body } of tests.splice(0)) {
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done after ${timeout} ms`)), timeout)
    })
    try {
      await Promise.race([body(), late])
      outcome.passed++
    } catch (error) {
      outcome.failures.push(`${name}: ${(error as Error).message}`)
    } finally {
      clearTimeout(timer)
    }
  }
  return outcome
}
