/**
 * The numbered databases of Redis, 0 to 15 unless the server is told otherwise. Number 0 is the root; the others are
 * sub-databases of the sub-database `redis-databases`, each named by its number and made when it is selected first.
 *
 * SWAPDB moves no records: it writes down, as records of `redis-databases`, which place has which number from now on.
 */
import type { EncodingNames } from '../../database/stored-encodings.ts'
import { InvalidArgumentError } from '../../errors.ts'
import { CommandError } from './errors.ts'
import type { Keyspace } from './keyspace.ts'

export const CONTAINER = 'redis-databases'

/** Who watches keys (WATCH), of which key spaces. */
interface Watching {
  readonly watched: Map<Keyspace, Map<string, boolean>>
}

export class Databases {
  /** There are so many. */
  readonly count: number
  /** The root, which is the place of number 0 until a SWAPDB. */
  private readonly root: Keyspace
  /** The place of each number. */
  private places: number[] = []
  /** What lies in each place, as far as it was used. */
  private readonly spaces: (Keyspace | undefined)[]
  /** Swapped in what is under way, and how deep that is: a script in an EXEC. */
  private readonly swapped: [Keyspace, Keyspace][] = []
  private depth = 0
  /** Those of the root, which all of them are made with. */
  private readonly encodings: EncodingNames

  constructor(root: Keyspace, count: number, encodings: EncodingNames) {
    this.root = root
    this.count = count
    this.encodings = encodings
    this.spaces = [root]
    this.load()
  }

  /**
   * The database of a number, made if there is none yet.
   * @throws XenonError if it would have to be made and nothing may be written
   */
  at(number: number): Keyspace {
    const place = this.places[number]!
    const known = this.spaces[place]
    return known !== undefined && (place === 0 || !known.db.closed) ? known : this.make(place)
  }

  /** The same, undefined if nothing was ever written there. */
  find(number: number): Keyspace | undefined {
    const place = this.places[number]!
    if (place === 0) return this.root
    const container = this.container
    return container?.db.subs().includes(String(place)) ? container.sub(String(place)) : undefined
  }

  private make(place: number): Keyspace {
    const { root } = this
    const name = String(place)
    root.declareSub(CONTAINER, {})
    const container = root.sub(CONTAINER)
    container.declareSub(name, this.encodings)
    const made = container.sub(name)
    this.spaces[place] = made
    this.number()
    return made
  }

  /**
   * Runs what is taken back as a whole if it throws: what SWAPDB has done in it is, too.
   * @param clients all who may watch keys
   */
  together<T>(clients: ReadonlyMap<number, Watching>, work: () => T): T {
    const { swapped } = this
    const before = swapped.length
    this.depth++
    try {
      return work()
    } catch (error) {
      for (const [a, b] of swapped.splice(before).reverse()) moveWatchers(a, b, clients.values())
      this.load()
      throw error
    } finally {
      this.depth--
      if (this.depth === 0) swapped.length = 0
    }
  }

  /** SWAPDB: who has selected one of them sees what was in the other. */
  swap(first: number, second: number, clients: Iterable<Watching>): void {
    if (first === second) return
    const [a, b] = [this.at(first), this.at(second)]
    const { places } = this
    const [place, other] = [places[first]!, places[second]!]
    this.root.declareSub(CONTAINER, {})
    this.root.together(() => {
      const container = this.root.sub(CONTAINER)
      container.put(bytesOf(first), bytesOf(other), 0, 'set')
      container.put(bytesOf(second), bytesOf(place), 0, 'set')
    })
    places[first] = other
    places[second] = place
    this.number()
    this.root.tellCleared()
    if (this.depth > 0) this.swapped.push([a, b])
    a.notifyChanged(b)
    moveWatchers(a, b, clients)
  }

  /** FLUSHALL: removes everything, what lies in sub-databases too. The numbers stay with their places. */
  clear(): void {
    this.root.clearAll()
    const container = this.container
    for (const [number, place] of this.places.entries())
      if (number !== place) container?.put(bytesOf(number), bytesOf(place), 0, 'set')
  }

  /** Reads which place has which number. */
  private load(): void {
    const { container } = this
    this.places = Array.from({ length: this.count }, (_, number) => {
      const stored = container?.get(bytesOf(number))
      return stored === undefined ? number : placeOf(stored, number)
    })
    this.number()
  }

  /** Each database that is in use knows its number. */
  private number(): void {
    for (const [number, place] of this.places.entries()) {
      const space = this.spaces[place]
      if (space !== undefined) space.number = number
    }
  }

  /** The database tells of changes of all of them, or does not any more. */
  observe(isOn: boolean): void {
    for (let number = 0; isOn && number < this.count; number++) if (this.find(number) !== undefined) this.at(number)
    this.root.observe(isOn)
  }

  /** @throws CommandError if these are the records that say which place has which number: only SWAPDB changes them */
  requireOrdinary(keys: Keyspace): void {
    if (this.container === keys)
      throw new CommandError(`ERR what lies in '${CONTAINER}' itself says where the databases are; say SWAPDB`)
  }

  private get container(): Keyspace | undefined {
    const { root } = this
    return root.db.subAsBytes(CONTAINER) === undefined ? undefined : root.sub(CONTAINER)
  }
}

/** Who watches keys of one of them watches those of the other from now on. */
const moveWatchers = (a: Keyspace, b: Keyspace, clients: Iterable<Watching>): void => {
  a.swapWatchers(b)
  for (const { watched } of clients) {
    const [ofA, ofB] = [watched.get(a), watched.get(b)]
    for (const [keys, names] of [
      [a, ofB],
      [b, ofA],
    ] as const) {
      if (names === undefined) watched.delete(keys)
      else watched.set(keys, names)
    }
  }
}

const bytesOf = (number: number): Uint8Array => Buffer.from(String(number))

const placeOf = (stored: Uint8Array, number: number): number => {
  const text = Buffer.from(stored).toString('latin1')
  if (!/^\d{1,9}$/.test(text))
    throw new InvalidArgumentError(
      `the record '${number}' of the sub-database '${CONTAINER}' is not the number of a database; delete it, or write the right one`,
    )
  return Number(text)
}
