/** INSPECT: what the command line asks of a database that another process has open. Redis lacks it. */
import type { Caller } from './caller.ts'
import { type Family, family } from './command.ts'
import type { Subcommands } from './subcommands.ts'

const answer = ({ out }: Caller, facts: object): void => out.bulk(Buffer.from(JSON.stringify(facts)))

/** Which database this is, so that nobody takes it for another one, and what may be done. */
const database = (caller: Caller): void => {
  const { db, settings } = caller.server
  const { lock, place } = db.identity()
  answer(caller, {
    pid: process.pid,
    lock,
    place,
    ordered: caller.keys.records.ordered,
    readOnly: settings.readOnly || db.readOnly,
  })
}

/** The encodings of a sub-database behind IN, or of the root, and its indexes. */
const space = (caller: Caller): void => {
  const { db } = caller.keys
  const names = db.space.isRoot ? caller.server.db.encodingNames : db.encodingNames
  answer(caller, { ...names, indexes: db.indexes() })
}

const subcommands: Subcommands = {
  database: [2, database],
  space: [2, space],
  stats: [2, caller => answer(caller, caller.server.db.stats())],
}

export const inspect: Family = family(
  { group: 'server', afterBegin: 'apart', afterIn: true },
  {
    inspect: {
      arity: -2,
      flags: 'noscript',
      categories: '@slow',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'A container for commands that tell which database this is, its key spaces and statistics (xenondb)',
      subcommands,
    },
  },
)
