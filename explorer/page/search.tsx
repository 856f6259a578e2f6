/** The search box: a key, the beginning or a part of one, or the number of a block. */
import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Search as Found } from '../../src/explorer/keys.ts'
import { go, useModel } from './model.ts'
import { bytesText } from './text.tsx'

const WAIT_MS = 120

interface Offer {
  readonly text: string
  readonly what: string
  readonly take: () => void
}

export const Search = (): JSX.Element => {
  const { transport, facts, sub, setSub } = useModel()
  const [text, setText] = useState('')
  const [offers, setOffers] = useState<readonly Offer[]>([])
  const [chosen, setChosen] = useState(-1)
  const [isOpen, setOpen] = useState(false)
  const [more, setMore] = useState(false)
  const input = useRef<HTMLInputElement>(null)
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const isTyping = event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement
      if (event.key !== '/' || isTyping) return
      event.preventDefault()
      input.current?.focus()
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [])
  useEffect(() => {
    let stopped = false
    const timer = window.setTimeout(async () => {
      if (text.trim() === '') return setOffers([])
      const found = await transport.call<Found>('search', { text, sub, limit: 12 }).catch(() => undefined)
      if (stopped) return
      const number = /^\s*(?:block\s*|#)?(\d+)\s*$/i.exec(text)?.[1]
      const block: Offer[] =
        number === undefined || Number(number) >= facts.metadata.blocks
          ? []
          : [{ text: `block ${number}`, what: 'block', take: () => go('block', number) }]
      const keys = (found?.keys ?? []).map(
        (key): Offer => ({
          text: bytesText(key),
          what: 'key',
          take: () =>
            key.text === undefined || key.hex.length < 2 * key.bytes ? go('key', '', key.hex) : go('key', key.text),
        }),
      )
      setOffers([...block, ...keys])
      setMore(found?.more ?? false)
      setChosen(-1)
    }, WAIT_MS)
    return () => {
      stopped = true
      window.clearTimeout(timer)
    }
  }, [text, transport, sub, facts.metadata.blocks])
  const take = (offer: Offer | undefined): void => {
    setOpen(false)
    if (offer !== undefined) offer.take()
    else if (/^\s*#\d+\s*$/.test(text)) go('block', text.replace(/\D/g, ''))
    else if (text !== '') go('key', text)
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Enter')
      take(offers[chosen] ?? offers.find(offer => offer.text === text) ?? (offers.length === 1 ? offers[0] : undefined))
    else if (event.key === 'Escape') setOpen(false)
    else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      setOpen(true)
      const step = event.key === 'ArrowDown' ? 1 : -1
      setChosen(before => Math.max(-1, Math.min(offers.length - 1, before + step)))
    }
  }
  const isShown = isOpen && offers.length > 0
  return (
    <search class="search">
      <label for="search">Find a key or a block</label>
      <input
        ref={input}
        id="search"
        type="text"
        role="combobox"
        autocomplete="off"
        spellcheck={false}
        placeholder="Find a key or a block: FR/Paris, #17 — press /"
        aria-expanded={isShown}
        aria-controls="offers"
        aria-activedescendant={chosen < 0 ? undefined : `offer-${chosen}`}
        value={text}
        onInput={event => {
          setText(event.currentTarget.value)
          setOpen(true)
        }}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKeyDown}
      />
      {facts.spaces.some(({ kind, isGone }) => kind === 'sub' && !isGone) && (
        <select
          aria-label="In"
          value={JSON.stringify(sub)}
          onChange={event => setSub(JSON.parse(event.currentTarget.value))}
        >
          <option value="[]">in the root</option>
          {facts.spaces
            .filter(({ kind, isGone }) => kind === 'sub' && !isGone)
            .map(({ path, block }) => (
              <option key={block} value={JSON.stringify(path)}>
                {`in ${path.join(' / ')}`}
              </option>
            ))}
        </select>
      )}
      {isShown && (
        <div id="offers" role="listbox" class="offers" tabIndex={-1}>
          {offers.map((offer, i) => (
            <div
              key={`${offer.what} ${offer.text}`}
              id={`offer-${i}`}
              role="option"
              tabIndex={-1}
              aria-selected={i === chosen}
              onMouseDown={event => {
                event.preventDefault()
                take(offer)
              }}
            >
              <span class="mono">{offer.text}</span>
              <small>{offer.what}</small>
            </div>
          ))}
          {more && <p class="more">there are more; type on</p>}
        </div>
      )}
    </search>
  )
}
