/**
 * The bytes of a simulated file, in pages that copies share until one of them writes: copying a file of a thousand
 * pages costs an array of a thousand references, which is what makes a hundred thousand crash images affordable.
 */
const PAGE = 4096

export class PagedBytes {
  #size = 0
  /** A missing page is all zeros. */
  #pages: (Uint8Array | undefined)[] = []
  /** Pages that nobody else sees, by number. */
  #own: boolean[] = []

  get size(): number {
    return this.#size
  }

  /** Bytes of the pages that hold something: what the file would take on a disk. */
  get allocated(): number {
    let pages = 0
    for (const page of this.#pages) if (page !== undefined) pages++
    return pages * PAGE
  }

  clone(): PagedBytes {
    const copy = new PagedBytes()
    copy.#size = this.#size
    copy.#pages = this.#pages.slice()
    this.#own = []
    return copy
  }

  /** Reads as many of `length` bytes at `position` as there are; returns how many. */
  read(target: Uint8Array, targetOffset: number, length: number, position: number): number {
    const count = Math.max(0, Math.min(length, this.#size - position))
    for (let done = 0; done < count; ) {
      const at = position + done
      const within = at % PAGE
      const part = Math.min(count - done, PAGE - within)
      const page = this.#pages[(at - within) / PAGE]
      if (page === undefined) target.fill(0, targetOffset + done, targetOffset + done + part)
      else target.set(page.subarray(within, within + part), targetOffset + done)
      done += part
    }
    return count
  }

  /**
   * Writes `source` at `position`, growing the file if needed. Nobody may change `source` afterwards: its whole pages
   * are kept.
   */
  write(source: Uint8Array, position: number): void {
    for (let done = 0; done < source.length; ) {
      const at = position + done
      const within = at % PAGE
      const part = Math.min(source.length - done, PAGE - within)
      const bytes = source.subarray(done, done + part)
      if (part === PAGE) this.#put(at / PAGE, bytes, false)
      else this.#writable((at - within) / PAGE).set(bytes, within)
      done += part
    }
    if (source.length > 0) this.#size = Math.max(this.#size, position + source.length)
  }

  /** Cuts the file, or makes it longer with zeros. */
  truncate(size: number): void {
    if (size < this.#size) {
      const pages = Math.ceil(size / PAGE)
      this.#pages.length = Math.min(this.#pages.length, pages)
      this.#own.length = Math.min(this.#own.length, pages)
      if (size % PAGE !== 0 && this.#pages[pages - 1] !== undefined) this.#writable(pages - 1).fill(0, size % PAGE)
    }
    this.#size = size
  }

  flip(bit: number): void {
    const page = this.#writable(Math.floor(bit / 8 / PAGE))
    const at = Math.floor(bit / 8) % PAGE
    page[at] = page[at]! ^ (1 << (bit % 8))
  }

  #writable(number: number): Uint8Array {
    const known = this.#pages[number]
    if (known !== undefined && this.#own[number] === true) return known
    const page = new Uint8Array(PAGE)
    if (known !== undefined) page.set(known)
    this.#put(number, page, true)
    return page
  }

  #put(number: number, page: Uint8Array, isOwn: boolean): void {
    while (this.#pages.length < number) this.#pages.push(undefined)
    this.#pages[number] = page
    this.#own[number] = isOwn
  }
}
