/** How the page writes numbers, bytes and links. Keys and values are always text, never markup. */
import type { ComponentChildren, JSX } from 'preact'
import type { Use } from '../../src/explorer/shapes.ts'
import type { ShownBytes } from '../../src/explorer/shown.ts'
import { routeTo } from './model.ts'

export const count = (number: number): string => number.toLocaleString('en-US')

export const percent = (share: number): string => `${((Number.isFinite(share) ? share : 0) * 100).toFixed(1)} %`

export const size = (bytes: number): string => {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let unit = 0
  let amount = bytes
  for (; amount >= 1024 && unit < units.length - 1; unit++) amount /= 1024
  return unit === 0 ? `${amount} B` : `${amount.toFixed(1)} ${units[unit]}`
}

export const hex32 = (number: number): string => `0x${number.toString(16).padStart(8, '0')}`

export const NAMES: Readonly<Record<Use, string>> = {
  metadata: 'metadata',
  index: 'hash index',
  directory: 'directory',
  overflow: 'bucket',
  large: 'large value',
  leaf: 'tree leaf',
  inner: 'inner tree node',
  free: 'free',
  space: 'sub-database',
  condemned: 'cleared',
  damaged: 'damaged',
}

/** What would steer a terminal or turn a line around is shown as its number. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\u2028\u2029]/gu

const plain = (text: string): string =>
  text.replace(UNSEEN, character => `\\u{${character.codePointAt(0)!.toString(16)}}`)

/** A key or a value: its text, or its bytes in hexadecimal digits. */
export const bytesText = ({ bytes, text, hex }: ShownBytes, most = 80): string => {
  if (text === undefined) return `0x${hex.slice(0, most)}${hex.length > most || 2 * bytes > hex.length ? '…' : ''}`
  const shown = plain(text)
  const isCut = new TextEncoder().encode(text).length < bytes
  return shown.length > most ? `${shown.slice(0, most)}…` : isCut && bytes > 256 ? `${shown}…` : shown
}

export const Bytes = ({ of, most }: { of: ShownBytes; most?: number }): JSX.Element => (
  <span class={of.text === undefined ? 'mono binary' : 'mono'} title={`${count(of.bytes)} bytes`}>
    {bytesText(of, most)}
  </span>
)

export const BlockLink = ({ block, children }: { block: number; children?: ComponentChildren }): JSX.Element => (
  <a class="block-link" href={routeTo('block', block)}>
    {children ?? `block ${count(block)}`}
  </a>
)

export const KeyLink = ({ of }: { of: ShownBytes }): JSX.Element =>
  of.text === undefined || of.hex.length < 2 * of.bytes ? (
    <Bytes of={of} />
  ) : (
    <a href={routeTo('key', of.text)}>
      <Bytes of={of} />
    </a>
  )

export const Problem = ({ children }: { children: ComponentChildren }): JSX.Element => (
  <p class="problem" role="alert">
    {children}
  </p>
)

/** Names and values, side by side. */
export const Figures = ({ of }: { of: readonly (readonly [string, ComponentChildren])[] }): JSX.Element => (
  <dl class="figures">
    {of.map(([name, value]) => (
      <div key={name}>
        <dt>{name}</dt>
        <dd>{value}</dd>
      </div>
    ))}
  </dl>
)
