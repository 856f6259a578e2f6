/** `importDatabase`: a database of this origin from one file. */
import { InvalidArgumentError, XenonError } from '../errors.ts'
import { revived } from '../worker/errors.ts'
import { ownWorker } from './options.ts'
import type { Asked, Told } from './tabs.ts'
import { locksHere, type WorkerLike } from './web.ts'

/** How a file becomes a database. */
export interface ImportOptions {
  /** As for `openBrowser`. */
  worker?: (() => unknown) | undefined
}

/**
 * Makes a database of this origin from one file: what `exportFile` gives, or `backup` of `xenondb` with `asFile`. Every
 * block is checked before it counts.
 * @throws XenonError `XENON_EXISTS` if there is one of this name; `XENON_CORRUPT` if the file is none, or damaged;
 *   `XENON_LOCKED` if a tab has one of this name open.
 * @example
 * const response = await fetch('/notes.tar')
 * await importDatabase('notes', await response.blob())
 */
export const importDatabase = async (name: string, file: Blob, options: ImportOptions = {}): Promise<void> => {
  if (!(file instanceof Blob)) throw new InvalidArgumentError('importDatabase() takes a Blob, or a File')
  locksHere()
  const worker = (options.worker ?? ownWorker)() as WorkerLike
  try {
    await new Promise<void>((resolve, reject) => {
      worker.addEventListener('message', (({ data }: { data: Told | undefined }) => {
        if (data?.xenondb === 'ready') worker.postMessage({ xenondb: 'import', name, file } satisfies Asked)
        if (data?.xenondb === 'imported') resolve()
        if (data?.xenondb === 'failed') reject(revived(data.error))
      }) as never)
      worker.addEventListener('error', ((event: { message?: string }) => {
        const problem = event.message ?? 'its script could not be loaded'
        reject(new XenonError('XENON_NOT_SUPPORTED', `the worker of '${name}' has failed: ${problem}`))
      }) as never)
    })
  } finally {
    worker.terminate()
  }
}
