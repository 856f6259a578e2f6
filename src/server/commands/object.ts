/** OBJECT: how a value is kept. */

import { parseInteger } from '../protocol/numbers.ts'
import { type Arguments, bytesAt } from '../protocol/request.ts'
import type { Caller, Handler } from './caller.ts'
import { type Family, family } from './command.ts'
import { CommandError } from './errors.ts'
import type { Subcommands } from './subcommands.ts'

/** Longer ones Redis keeps apart from the object. */
const MOST_EMBEDDED_BYTES = 44

/** What Redis would keep a value as that SET has written. */
export const encodingOf = (value: Uint8Array): 'int' | 'embstr' | 'raw' => {
  const isInteger = value.length <= 20 && parseInteger(Buffer.from(value).toString('latin1')) !== undefined
  if (isInteger) return 'int'
  return value.length <= MOST_EMBEDDED_BYTES ? 'embstr' : 'raw'
}

/** Redis has one object for each integer from 0 to 9999, and counts no references to it. */
const SHARED_REFERENCES = 2147483647
const isShared = (value: Uint8Array): boolean =>
  value.length <= 4 && /^(0|[1-9]\d*)$/.test(Buffer.from(value).toString('latin1'))

/** Answers about the value of a key that is there. */
const about =
  (answer: (caller: Caller, value: Uint8Array) => void): Handler =>
  (caller: Caller, request: Arguments): void => {
    const value = caller.keys.get(bytesAt(request, 2))
    // Redis announces no such miss.
    caller.server.counts.lookedFor(value !== undefined)
    if (value === undefined) caller.out.null()
    else answer(caller, value)
  }

const subcommands: Subcommands = {
  encoding: [
    3,
    about(({ out }, value) => out.text(encodingOf(value))),
    {
      flags: 'readonly',
      keys: '2 RO',
      tips: 'nondeterministic_output',
      since: '2.2.3',
      summary: 'Inspect the internal encoding of a Redis object',
    },
  ],
  freq: [
    3,
    about(() => {
      throw new CommandError(
        'ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.',
      )
    }),
    {
      flags: 'readonly',
      keys: '2 RO',
      tips: 'nondeterministic_output',
      since: '4.0.0',
      summary: 'Get the logarithmic access frequency counter of a Redis object',
    },
  ],
  // When a record was read is not kept.
  idletime: [
    3,
    about(({ out }) => out.integer(0)),
    {
      flags: 'readonly',
      keys: '2 RO',
      tips: 'nondeterministic_output',
      since: '2.2.3',
      summary: 'Get the time since a Redis object was last accessed',
    },
  ],
  refcount: [
    3,
    about(({ out }, value) => out.integer(isShared(value) ? SHARED_REFERENCES : 1)),
    {
      flags: 'readonly',
      keys: '2 RO',
      tips: 'nondeterministic_output',
      since: '2.2.3',
      summary: 'Get the number of references to the value of the key',
    },
  ],
}

export const object: Family = family(
  { group: 'generic', afterIn: true },
  {
    object: {
      arity: -2,
      flags: '',
      categories: '@slow',
      since: '2.2.3',
      complexity: 'Depends on subcommand.',
      summary: 'A container for object introspection commands',
      within: '@keyspace',
      subcommands,
    },
  },
)
