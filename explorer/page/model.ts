/** What the page knows of the database, shared by its views: asked for again and again while the page is seen. */
import { createContext } from 'preact'
import { useContext, useEffect, useRef, useState } from 'preact/hooks'
import type { MetadataView } from '../../src/explorer/shapes.ts'
import type { Stats } from '../../src/types.ts'
import type { Playing } from './playing.tsx'
import { CallError, type Transport } from './transport.ts'

export interface SpaceFacts {
  readonly block: number
  readonly kind: 'sub' | 'index'
  readonly path: readonly string[]
  readonly isGone: boolean
  readonly number: number
  readonly index: number
  readonly ordered: number
  readonly expiry: number
}

export interface Facts {
  readonly directory: string
  readonly writable: boolean
  readonly isOpen: boolean
  /** What the engine does can be recorded. */
  readonly canRecord: boolean
  readonly note?: string
  readonly metadata: MetadataView
  readonly spaces: readonly SpaceFacts[]
}

export interface State {
  readonly at: number
  readonly metadata: MetadataView
  readonly stats?: Stats
  readonly deadlocks?: readonly { readonly at: number; readonly circle: readonly number[]; readonly ended: number }[]
  /** The one under way, or the last one. */
  readonly checkpoint?: {
    readonly began: number
    readonly blocks: number
    readonly written: number
    readonly endedAt?: number
    readonly redoLsn?: number
  }
  readonly marks?: { readonly endLsn: number; readonly writtenLsn: number; readonly syncedLsn: number }
  readonly warnings?: readonly { readonly code: string; readonly message: string }[]
}

export interface Model {
  readonly transport: Transport
  readonly playing: Playing
  readonly facts: Facts
  /** What was told in the last minutes, the newest last. */
  readonly history: readonly State[]
  /** The sub-database that is looked into, [] for the root. */
  readonly sub: readonly string[]
  setSub(sub: readonly string[]): void
}

export const ModelContext = createContext<Model | undefined>(undefined)

export const useModel = (): Model => useContext(ModelContext)!

export const useNow = (): State | undefined => useModel().history.at(-1)

/** A result of a call, or why there is none. */
export interface Asked<T> {
  readonly value: T | undefined
  readonly error: string | undefined
  readonly block: number | undefined
}

/**
 * Asks again whenever `params` have changed, and every `interval` milliseconds while the page is seen. What was answered
 * before stays until the next answer is there.
 */
export const useCall = <T>(name: string, params: object, interval?: number): Asked<T> => {
  const { transport } = useModel()
  const [asked, setAsked] = useState<Asked<T>>({ value: undefined, error: undefined, block: undefined })
  const key = JSON.stringify(params)
  useEffect(() => {
    let stopped = false
    let timer: number | undefined
    const ask = async (): Promise<void> => {
      if (document.visibilityState === 'visible') {
        const answer = await outcome<T>(transport.call(name, JSON.parse(key)))
        if (!stopped) setAsked(answer)
      }
      if (!stopped && interval !== undefined) timer = window.setTimeout(ask, interval)
    }
    ask()
    return () => {
      stopped = true
      window.clearTimeout(timer)
    }
  }, [transport, name, key, interval])
  return asked
}

const outcome = async <T>(answer: Promise<T>): Promise<Asked<T>> => {
  try {
    return { value: await answer, error: undefined, block: undefined }
  } catch (error) {
    const block = error instanceof CallError ? error.block : undefined
    return { value: undefined, error: (error as Error).message, block }
  }
}

/** The latest value, for what runs outside of rendering. */
export const useLatest = <T>(value: T): { readonly current: T } => {
  const latest = useRef(value)
  latest.current = value
  return latest
}

/** Where the page is: what stands behind the # of its address. */
export const useRoute = (): readonly string[] => {
  const [hash, setHash] = useState(location.hash)
  useEffect(() => {
    const onChange = (): void => setHash(location.hash)
    window.addEventListener('hashchange', onChange)
    // It may have changed since the page was drawn.
    onChange()
    return () => window.removeEventListener('hashchange', onChange)
  }, [])
  return hash
    .replace(/^#\/?/, '')
    .split('/')
    .map(part => {
      try {
        return decodeURIComponent(part)
      } catch {
        return part
      }
    })
}

export const routeTo = (...parts: (string | number)[]): string =>
  `#/${parts.map(part => encodeURIComponent(part)).join('/')}`

export const go = (...parts: (string | number)[]): void => {
  location.hash = routeTo(...parts)
}
