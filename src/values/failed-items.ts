/** Items that could not be decoded, and asynchronous iterators that go on behind one, as no generator does. */
import { DecodeError } from '../errors.ts'
import { AsyncItems } from '../runtime/items.ts'
import type { OnDecodeError } from '../types.ts'

/** In place of an item: `next` rejects with it. */
export class Failed {
  readonly error: unknown

  constructor(error: unknown) {
    this.error = error
  }
}

/**
 * What is to be done about a record that cannot be decoded, as the range says: if this returns, it is passed over.
 * @throws The error, by default; and whatever is none of a codec.
 */
export const passOver = (error: unknown, onDecodeError: OnDecodeError): void => {
  if (onDecodeError === 'throw' || !(error instanceof DecodeError)) throw error
  if (onDecodeError !== 'skip') onDecodeError(error)
}

/** The same inside a generator of `Resumable`: what it is to yield, if anything. */
export const failedItem = (error: unknown, onDecodeError: OnDecodeError): Failed | undefined => {
  if (onDecodeError === 'throw' && error instanceof DecodeError) return new Failed(error)
  passOver(error, onDecodeError)
  return undefined
}

/** What is made of an item, an error in its place, or nothing if it is to be passed over. */
export const madeOf = <T>(make: () => T, onDecodeError: OnDecodeError): T | Failed | undefined => {
  try {
    return make()
  } catch (error) {
    return failedItem(error, onDecodeError)
  }
}

/** A loop that an error has ended lets go of nothing: what it holds is let go when nobody can go on any more. */
const forgotten = new FinalizationRegistry<AsyncGenerator<unknown, undefined>>(items => {
  items.return(undefined).catch(() => {})
})

/** The items of a generator, which yields an error for one that failed instead of throwing it. */
export class Resumable<T> extends AsyncItems<T> {
  private readonly items: AsyncGenerator<T | Failed, undefined>
  private isWatched = false

  constructor(items: AsyncGenerator<T | Failed, undefined>) {
    super(items as AsyncGenerator<T, undefined>)
    this.items = items
  }

  override async next(): Promise<IteratorResult<T, undefined>> {
    const step = await this.items.next()
    if (!(step.value instanceof Failed)) return step as IteratorResult<T, undefined>
    if (!this.isWatched) forgotten.register(this, this.items)
    this.isWatched = true
    throw step.value.error
  }

  override async throw(error: unknown): Promise<IteratorResult<T, undefined>> {
    await this.return()
    throw error
  }
}
