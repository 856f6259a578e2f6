/** `serveBrowser`: what a worker of one's own calls. */
import type { Database } from '../database/database.ts'
import type { OpenOptions } from '../database/options.ts'
import { XenonError } from '../errors.ts'
import { portable } from '../worker/errors.ts'
import { imported } from './archive.ts'
import { Candidate } from './candidate.ts'
import type { Asked, Told } from './tabs.ts'
import type { WorkerScope } from './web.ts'

/** What a page cannot send to its worker, or should not have to say. Those of the page go before. */
export interface ServeOptions<V = string>
  extends Omit<OpenOptions<V>, 'storage' | 'readOnly' | 'inspect' | 'lockWait'> {
  /** Called with the database whenever this worker has opened it, before anybody else may use it. */
  onOpen?: ((db: Database<V>) => void) | undefined
}

/**
 * In a worker of one's own, which `openBrowser` is given as `worker`: opens the database and serves the tabs.
 * @example serveBrowser<{ age: number }>({ valueEncoding: 'json', onOpen: db => db.index('age', ({ age }) => age) })
 */
export const serveBrowser = <V = string>({ onOpen, ...own }: ServeOptions<V> = {}): void => {
  const scope = globalThis as unknown as WorkerScope
  if (typeof scope.addEventListener !== 'function')
    throw new XenonError('XENON_NOT_SUPPORTED', 'serveBrowser() is for a worker of a browser; here is none')
  let candidate: Candidate | undefined
  scope.addEventListener('message', ({ data }) => {
    const asked = data as Asked | undefined
    if (asked?.xenondb === 'open') {
      const options = { ...own, ...asked.options } as OpenOptions<unknown>
      candidate = new Candidate(scope, asked.name, options, asked.settings, onOpen as never)
    }
    if (asked?.xenondb === 'import') void importFor(scope, asked.name, asked.file)
    if (asked?.xenondb === 'look') candidate?.look()
    if (asked?.xenondb === 'close') void candidate?.close()
  })
  scope.postMessage({ xenondb: 'ready' } satisfies Told, [])
}

const importFor = async (scope: WorkerScope, name: string, file: Blob): Promise<void> => {
  let told: Told = { xenondb: 'imported' }
  try {
    await imported(name, file)
  } catch (error) {
    told = { xenondb: 'failed', error: portable(error) }
  }
  scope.postMessage(told, [])
}
