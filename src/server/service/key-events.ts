/** Keyspace notifications: what happens to keys, published to channels as Redis does it (`notify-keyspace-events`). */

import type { Channels } from './channels.ts'

/** The classes of events by their letters, in the order in which Redis tells them. */
const CLASSES = { g: 1, $: 2, l: 4, s: 8, h: 16, z: 32, x: 64, e: 128, t: 256, d: 512, n: 1024 } as const
const KEYSPACE = 2048
const KEYEVENT = 4096
const MISSES = 8192
/** Neither `n` nor `m` is meant by `A`. */
const ALL = CLASSES.n - 1
const LETTERS: readonly (readonly [string, number])[] = [
  ...Object.entries(CLASSES),
  ['K', KEYSPACE],
  ['E', KEYEVENT],
  ['m', MISSES],
]

const { g: GENERIC, $: STRING, x: EXPIRED, n: NEW } = CLASSES
export type KeyEvent =
  | 'set'
  | 'setrange'
  | 'setbit'
  | 'append'
  | 'incrby'
  | 'incrbyfloat'
  | 'del'
  | 'expire'
  | 'persist'
  | 'rename_from'
  | 'rename_to'
  | 'copy_to'
  | 'move_from'
  | 'move_to'
  | 'restore'
  | 'expired'
  | 'new'
  | 'keymiss'

const CLASS_OF: Readonly<Record<KeyEvent, number>> = {
  set: STRING,
  setrange: STRING,
  setbit: STRING,
  append: STRING,
  incrby: STRING,
  incrbyfloat: STRING,
  del: GENERIC,
  expire: GENERIC,
  persist: GENERIC,
  rename_from: GENERIC,
  rename_to: GENERIC,
  copy_to: GENERIC,
  move_from: GENERIC,
  move_to: GENERIC,
  restore: GENERIC,
  expired: EXPIRED,
  new: NEW,
  keymiss: MISSES,
}

/** All of them, as Redis names them in an error. */
export const CLASS_LETTERS = 'Ag$lshzxeKEtmdn'

/** What the letters mean; undefined if one of them means nothing. */
export const parseClasses = (letters: string): number | undefined => {
  let classes = 0
  for (const letter of letters) {
    const found = letter === 'A' ? ALL : LETTERS.find(([each]) => each === letter)?.[1]
    if (found === undefined) return undefined
    classes |= found
  }
  return classes
}

/** The same in Redis's own order. */
export const formatClasses = (classes: number): string => {
  const has = ([, bits]: readonly [string, number]): boolean => (classes & bits) === bits
  const isAll = (classes & ALL) === ALL
  // With A, Redis leaves out n.
  return LETTERS.filter(each => has(each) && !(isAll && each[1] <= NEW))
    .map(([letter]) => letter)
    .reduce((text, letter) => text + letter, isAll ? 'A' : '')
}

export class KeyEvents {
  /** What is announced; 0: nothing. */
  classes = 0
  private readonly channels: Channels

  constructor(channels: Channels) {
    this.channels = channels
  }

  wants(event: KeyEvent): boolean {
    return (this.classes & CLASS_OF[event]) !== 0
  }

  /** `database`: its number. */
  publish(database: number, event: KeyEvent, key: Uint8Array): void {
    const { classes, channels } = this
    if (!this.wants(event)) return
    if ((classes & KEYSPACE) !== 0)
      channels.publish(Buffer.concat([Buffer.from(`__keyspace@${database}__:`), key]), Buffer.from(event))
    if ((classes & KEYEVENT) !== 0) channels.publish(Buffer.from(`__keyevent@${database}__:${event}`), key)
  }
}
