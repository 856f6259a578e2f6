/** Slow motion: records what the engine does, and plays it slowly; all views show the moment that it is at. */
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { RecordedEvent } from '../../src/explorer/recorder.ts'
import { go, useModel } from './model.ts'
import { type Beginning, Player, sentenceOf } from './player.ts'
import { BlockLink, count, Problem } from './text.tsx'
import type { Transport } from './transport.ts'

const ASK_MS = 250
/** Events a second. */
const SPEEDS = [1, 4, 16, 64]
const MOST_FRAMES_MS = 33

/** The recording that is played, if any, and how far; changed in place, and told of by `tell`. */
export class Playing {
  player: Player | undefined
  isPaused = false
  isFull = false
  speed = 4
  isFollowed = false
  error: string | undefined
  private readonly transport: Transport
  private readonly listeners: Set<() => void> = new Set()
  private asking: number | undefined
  private stepping: number | undefined

  constructor(transport: Transport) {
    this.transport = transport
  }

  listen(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  async start(): Promise<void> {
    const { transport } = this
    try {
      const map = await transport.call<Beginning['map']>('map', { since: 0 })
      const pool = await transport.call<Beginning['pool']>('pool')
      const state = await transport.call<{
        marks: { endLsn: number; syncedLsn: number }
        metadata: { redoLsn: number }
      }>('state')
      await transport.call('record', { on: true })
      const { marks, metadata } = state
      this.player = new Player({
        map,
        pool,
        marks: { redo: metadata.redoLsn, synced: marks.syncedLsn, end: marks.endLsn },
      })
      this.error = undefined
      this.isFull = false
      this.isPaused = false
      this.ask()
      this.play()
    } catch (error) {
      this.error = (error as Error).message
    }
    this.tell()
  }

  stop(): void {
    window.clearTimeout(this.asking)
    window.clearTimeout(this.stepping)
    this.player = undefined
    this.transport.call('record', { on: false }).catch(() => {})
    this.tell()
  }

  pause(isPaused: boolean): void {
    this.isPaused = isPaused
    this.tell()
  }

  setSpeed(speed: number): void {
    this.speed = speed
    window.clearTimeout(this.stepping)
    this.play()
    this.tell()
  }

  /** To a moment of the recording, and no further by itself. */
  goTo(at: number): void {
    this.isPaused = true
    this.player?.goTo(at)
    this.tell()
  }

  follow(isFollowed: boolean): void {
    this.isFollowed = isFollowed
    this.tell()
  }

  private async ask(): Promise<void> {
    const { player } = this
    if (player === undefined) return
    try {
      const { events, isOn, isFull } = await this.transport.call<{
        events: RecordedEvent[]
        isOn: boolean
        isFull: boolean
      }>('events', { since: player.events.length })
      if (this.player !== player) return
      if (!isOn) this.error = 'The recording has ended: the database was opened again, or another page records.'
      player.take(events)
      this.isFull = isFull
      if (events.length > 0) this.tell()
    } catch (error) {
      this.error = (error as Error).message
      this.tell()
    }
    this.asking = window.setTimeout(() => this.ask(), ASK_MS)
  }

  private play(): void {
    const wait = Math.max(MOST_FRAMES_MS, 1000 / this.speed)
    this.stepping = window.setTimeout(() => {
      const { player } = this
      if (player === undefined) return
      if (!this.isPaused && !player.isAtEnd) {
        player.goTo(player.at + Math.max(1, Math.round((this.speed * wait) / 1000)))
        this.tell()
      }
      this.play()
    }, wait)
  }

  private tell(): void {
    const { player } = this
    const block = player?.current?.block
    if (this.isFollowed && block !== undefined && location.hash.startsWith('#/block') && !this.isShown(block))
      go('block', block)
    for (const listener of this.listeners) listener()
  }

  private isShown(block: number): boolean {
    return location.hash === `#/block/${block}` || location.hash.startsWith(`#/block/${block}/`)
  }
}

/** The player, and drawn again whenever it is at another moment. */
export const usePlaying = (): Playing => {
  const { playing } = useModel()
  const [, setTold] = useState(0)
  useEffect(() => playing.listen(() => setTold(before => before + 1)), [playing])
  return playing
}

/** For calls about blocks and keys: as they were at the moment that is shown. */
export const useMoment = (): { at: number } | Record<string, never> => {
  const { player } = usePlaying()
  return player === undefined ? {} : { at: player.at }
}

/** The bar from which it is begun, held, and stepped through. */
export const PlayerBar = (): JSX.Element => {
  const playing = usePlaying()
  const { player, isPaused, isFull, speed, error } = playing
  if (player === undefined)
    return (
      <section class="player" aria-label="Slow motion">
        <button type="button" onClick={() => playing.start()}>
          Slow motion
        </button>
        {error !== undefined && <Problem>{error}</Problem>}
      </section>
    )
  const { at, events } = player
  return (
    <section class="player" aria-label="Slow motion">
      <button type="button" onClick={() => playing.stop()}>
        End slow motion
      </button>
      <button type="button" onClick={() => playing.pause(!isPaused)} aria-pressed={isPaused}>
        {isPaused ? 'Play' : 'Pause'}
      </button>
      <button type="button" disabled={at === 0} onClick={() => playing.goTo(at - 1)} aria-label="One event back">
        −1
      </button>
      <button type="button" disabled={player.isAtEnd} onClick={() => playing.goTo(at + 1)} aria-label="One event on">
        +1
      </button>
      <label>
        Speed{' '}
        <select value={speed} onChange={event => playing.setSpeed(Number(event.currentTarget.value))}>
          {SPEEDS.map(each => (
            <option key={each} value={each}>{`${each} a second`}</option>
          ))}
        </select>
      </label>
      <input
        type="range"
        aria-label="Event"
        min={0}
        max={events.length}
        value={at}
        onInput={event => playing.goTo(Number(event.currentTarget.value))}
      />
      <label>
        <input
          type="checkbox"
          checked={playing.isFollowed}
          onChange={event => playing.follow(event.currentTarget.checked)}
        />
        the block view follows
      </label>
      <p class="event" aria-live={isPaused ? 'polite' : 'off'}>
        <b>
          {count(at)} of {count(events.length)}
        </b>{' '}
        <Happened event={player.current} />
        {isFull && player.isAtEnd && ' The recording is full: end it, and begin another one.'}
      </p>
      {error !== undefined && <Problem>{error}</Problem>}
    </section>
  )
}

const Happened = ({ event }: { event: RecordedEvent | undefined }): JSX.Element =>
  event === undefined ? (
    <>Nothing yet: do something with the database, and it is shown here step by step.</>
  ) : event.block === undefined ? (
    <>{sentenceOf(event)}.</>
  ) : (
    <>
      <BlockLink block={event.block} /> {sentenceOf(event)}.
    </>
  )
