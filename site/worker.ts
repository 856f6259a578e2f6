/** The engine of the site: a playground that answers the page. */
import { CorruptionError, XenonError } from '../src/errors.ts'
import { Playground } from './playground.ts'

interface Call {
  readonly id: number
  readonly name: string
  readonly params: Record<string, unknown>
}

const scope = self as unknown as {
  onmessage: ((event: MessageEvent<Call>) => void) | null
  postMessage(message: object): void
}

const cities = async (): Promise<[string, string][]> => await (await fetch('../cities.json')).json()
const playground = new Playground(cities, crypto.getRandomValues(new Uint32Array(1))[0]! % 2147483647)

scope.onmessage = async ({ data: { id, name, params } }) => {
  try {
    scope.postMessage({ id, answer: await playground.call(name, params) })
  } catch (error) {
    const code = error instanceof XenonError ? error.code : 'XENON_FAILED'
    const block = error instanceof CorruptionError ? error.block : undefined
    scope.postMessage({ id, error: { code, message: (error as Error).message, block } })
  }
}
