/** SLOWLOG: the last commands that took longer than `slowlogLogSlowerThan`, the newest first. */
import { type Arguments, bytesAt } from '../protocol/request.ts'
import type { ActivitySettings, Source, Traits } from './traits.ts'

export interface SlowEntry {
  readonly id: number
  /** Seconds since 1970. */
  readonly time: number
  readonly microseconds: number
  readonly arguments: readonly Uint8Array[]
  readonly address: string
  readonly name: string
}

/** More arguments, and more bytes of one, are left out. */
const MOST_ARGUMENTS = 32
const MOST_BYTES = 128

export const REDACTED: Uint8Array = Buffer.from('(redacted)')

export class SlowLog {
  entries: SlowEntry[] = []
  private readonly settings: ActivitySettings
  private nextId = 0

  constructor(settings: ActivitySettings) {
    this.settings = settings
  }

  add(source: Source, traits: Traits, request: Arguments, microseconds: number): void {
    this.push(shortened(traits, request), source.address, source.name, microseconds)
  }

  /** Quick commands of a pipeline that were timed together: which of them was slow is not known. */
  addGroup({ name }: Traits, count: number, microseconds: number): void {
    this.push([Buffer.from(name), Buffer.from(`... (one of ${count} commands of a pipeline)`)], '', '', microseconds)
  }

  private push(shown: readonly Uint8Array[], address: string, name: string, microseconds: number): void {
    const time = Math.floor(Date.now() / 1000)
    this.entries.unshift({
      id: this.nextId++,
      time,
      microseconds: Math.floor(microseconds),
      arguments: shown,
      address,
      name,
    })
    this.shorten()
  }

  shorten(): void {
    const { slowlogMaxLen } = this.settings
    if (this.entries.length > slowlogMaxLen) this.entries.length = slowlogMaxLen
  }
}

const shortened = ({ isSecret }: Traits, request: Arguments): Uint8Array[] => {
  const shown: Uint8Array[] = []
  const most = request.count > MOST_ARGUMENTS ? MOST_ARGUMENTS - 1 : request.count
  for (let i = 0; i < most; i++) {
    const bytes = bytesAt(request, i)
    const cut = `... (${bytes.length - MOST_BYTES} more bytes)`
    if (isSecret?.(request, i)) shown.push(REDACTED)
    else if (bytes.length <= MOST_BYTES) shown.push(Buffer.from(bytes))
    else shown.push(Buffer.concat([bytes.subarray(0, MOST_BYTES), Buffer.from(cut)]))
  }
  if (most < request.count) shown.push(Buffer.from(`... (${request.count - most} more arguments)`))
  return shown
}
