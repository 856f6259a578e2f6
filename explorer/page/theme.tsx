/** Dark, light, or as the system is. What is chosen is kept in a cookie, since the port of a page changes each time. */
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'

const THEMES = ['system', 'dark', 'light'] as const
type Theme = (typeof THEMES)[number]
const COOKIE = 'xenondb-theme'
const YEAR_SECONDS = 31536000

const system = matchMedia('(prefers-color-scheme: light)')
const listeners: Set<() => void> = new Set()
let shows = 0

/** Told of each change of the colours, for what is drawn on a canvas. */
export const onTheme = (listener: () => void): (() => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Another number whenever the colours are others. */
export const useTheme = (): number => {
  const [shown, setShown] = useState(shows)
  useEffect(() => onTheme(() => setShown(shows)), [])
  return shown
}

const kept = (): Theme => {
  const found = document.cookie.split('; ').find(each => each.startsWith(`${COOKIE}=`))
  return THEMES.find(each => found === `${COOKIE}=${each}`) ?? 'system'
}

let chosen = kept()

const show = (): void => {
  document.documentElement.dataset.theme = chosen === 'system' ? (system.matches ? 'light' : 'dark') : chosen
  shows++
  for (const listener of listeners) listener()
}

system.addEventListener('change', show)
show()

const choose = (theme: Theme): void => {
  chosen = theme
  // biome-ignore lint/suspicious/noDocumentCookie: not every browser has the Cookie Store API
  document.cookie = `${COOKIE}=${theme}; path=/; max-age=${YEAR_SECONDS}; samesite=strict`
  show()
}

export const ThemeSwitch = (): JSX.Element => {
  const [theme, setTheme] = useState(chosen)
  return (
    <label class="theme">
      Colours{' '}
      <select
        value={theme}
        onChange={event => {
          const next = event.currentTarget.value as Theme
          choose(next)
          setTheme(next)
        }}
      >
        {THEMES.map(each => (
          <option key={each} value={each}>
            {each}
          </option>
        ))}
      </select>
    </label>
  )
}
