/** `openBrowser`: a database in a page, shared by the tabs of its origin. */
import type { BuiltInEncoding, Encoded, KeyEncoding, KeyOf, TupleKey, ValueOf } from '../types.ts'
import type { BrowserOptions } from './options.ts'
import { BrowserStore } from './store.ts'

interface Texts {
  valueEncoding?: 'utf8' | undefined
  keyEncoding?: 'utf8' | undefined
}

/** The types of values and keys follow from the options, as those of `open` do. */
interface OpenBrowser {
  (name: string, options?: BrowserOptions & Texts): Promise<BrowserStore>
  <E extends BuiltInEncoding = 'utf8', KE extends KeyEncoding = 'utf8'>(
    name: string,
    options?: BrowserOptions<ValueOf<E>> & { valueEncoding?: E | undefined; keyEncoding?: KE | undefined },
  ): Promise<BrowserStore<ValueOf<E>, KeyOf<KE>>>
  <V>(
    name: string,
    options: BrowserOptions<V> & Encoded<V> & { keyEncoding: 'binary' },
  ): Promise<BrowserStore<V, Uint8Array>>
  <V, K extends TupleKey = TupleKey>(
    name: string,
    options: BrowserOptions<V> & Encoded<V> & { keyEncoding: 'tuple' },
  ): Promise<BrowserStore<V, K>>
  <V>(
    name: string,
    options: BrowserOptions<V> & Encoded<V> & { keyEncoding?: 'utf8' | undefined },
  ): Promise<BrowserStore<V>>
  /** Of options that come from elsewhere nobody knows which they are: what they are for is to be named. */
  (name: string, options: BrowserOptions): Promise<BrowserStore>
  <V, K extends TupleKey>(name: string, options: BrowserOptions<V>): Promise<BrowserStore<V, K>>
}

/**
 * Opens a database of this origin, on any number of its pages at the same time. One of them has it open in its worker, in
 * the Origin Private File System; the others reach that one; when it goes, another takes over.
 * @throws what `open` throws; XenonError `XENON_NOT_SUPPORTED` where there are no workers or Web Locks;
 *   XenonError `XENON_OWNER_LOST` if nobody can open it within `ownerTimeout`.
 * @example const notes = await openBrowser('notes', { valueEncoding: 'json' })
 */
export const openBrowser: OpenBrowser = async <V, K>(
  name: string,
  options: BrowserOptions<V> = {},
): Promise<BrowserStore<V, K>> => await new BrowserStore<V, K>(name, options).open()
