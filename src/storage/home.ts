/**
 * Where an open database lives. Files have an identity, not a name: what is open stays the same file wherever it is
 * moved, but a name may lead to the files of another database by now (`mv`, `rm -rf`, a restored backup). So whoever
 * creates, removes or renames by name asks here first, and so does every checkpoint. The evidence are files that the
 * handle keeps open, whose inodes the system gives to nobody else meanwhile.
 */
import { MovedError } from '../errors.ts'
import type { DirectoryLock, File, Storage } from './storage.ts'

export class Home {
  /** Absolute, where the storage can tell. */
  readonly directory: string
  private readonly storage: Storage
  private readonly lock: DirectoryLock | undefined
  private data: File | undefined

  constructor(storage: Storage, directory: string, lock: DirectoryLock | undefined) {
    this.storage = storage
    this.directory = directory
    this.lock = lock
  }

  /** Tells who has the directory now from whoever had it or will; undefined without a lock that others can read. */
  get nonce(): string | undefined {
    return this.lock?.nonce
  }

  /** The data file, once it is open. */
  keep(data: File): void {
    this.data = data
  }

  /** @throws MovedError if the directory, its lock or the data file is another one by now. */
  check(): void {
    if (this.lock?.inPlace?.() === false) throw new MovedError(this.storage.join(this.directory, 'lock'))
    if (this.data !== undefined) requireInPlace(this.data)
  }
}

/** @throws MovedError if another file, or none, stands where this one was opened. */
export const requireInPlace = (file: File): void => {
  if (file.inPlace?.() === false) throw new MovedError(file.path)
}
