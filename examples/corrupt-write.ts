/**
 * The same loss of power twice, in the middle of a checkpoint that overwrites blocks in place: without the log, which
 * only a test can switch off, it corrupts the database; with the log it does no harm.
 *
 * `npm run build && node build/examples/corrupt-write.js`; the exit status is 0 only if both came out that way.
 */
import pc from 'picocolors'
import { CorruptionError, type Database, open, type VerifyReport } from 'xenondb'
import { FaultDisk, Random, SimulatedCrash, withMutant } from 'xenondb/testing'
import { chapter, check, say, step, title } from './support/lesson.ts'
import { type BlockState, compareBlocks, countStates, stateLegend, stateMap } from './support/tearing.ts'

const RECORDS = 60
/** What decides which sectors the loss of power keeps; the same both times. */
const SEED = 7

const keyOf = (number: number): string => `account ${String(number).padStart(2, '0')}`
const keys = Array.from({ length: RECORDS }, (_, i) => keyOf(i + 1))
/** Long enough to take several sectors of a block. */
const textOf = (key: string, balance: number): string => `${key}: balance ${balance}; `.repeat(30)

interface Outcome {
  states: BlockState[]
  /** What the loss of power left, before anybody opened it. */
  torn: BlockState[]
  updated: number
  old: number
  missing: number
  /** The complaints about damage, of `open` or of single reads. */
  refused: CorruptionError[]
  unreadable: number
  report: VerifyReport | undefined
}

title('One torn write, without the log and with it')
say('A block has 4,096 bytes, a disk writes sectors of 512. Power that fails during a write leaves a block')
say('half old and half new. This disk is simulated, so that we can pull its plug, and look at it.')

const first = new FaultDisk({ seed: SEED })
const loaded = open('db', { storage: first.storage })
loaded.batch(keys.map(key => ({ type: 'put', key, value: textOf(key, 100) })))
loaded.close()
// All that was left to the system has reached the platters since.
const settledDisk = (): FaultDisk => first.crash('all', new Random(SEED))

chapter('With the log switched off')
say('A switch for tests: no images of blocks are kept beside the log, and a start reads nothing from it.')
say('After a loss of power the data file is all there is.')
say('')
const without = await withMutant('no log', () => pullThePlug(settledDisk()))
const corrupted = tell(
  without,
  [
    'Nobody can tell what the torn blocks held: they are damage, and their records are gone. A block that was',
    'not written at all is sound and holds the old balances, although the new ones were committed.',
  ],
  [
    ['the loss of power tore blocks, and they are still torn', countStates(without.states).torn > 0],
    ['the database answers XENON_CORRUPT with the number of a torn block', namesTorn(without)],
    ['committed updates are lost', without.updated < RECORDS],
    ['verify finds the damage', without.report?.ok !== true],
  ],
)

chapter('With the log on')
say('The same records, the same updates, the same moment, the same sectors lost.')
say('')
const withLog = await pullThePlug(settledDisk())
const survived = tell(
  withLog,
  [
    'Before a block was overwritten, its image was synced beside the log, which held every committed change. Recovery put',
    'the torn blocks back from their images and brought the old ones up to date.',
  ],
  [
    ['the loss of power tore the same blocks', sameStates(withLog.torn, without.torn)],
    ['no block is torn any more, and none is old', settled(withLog.states)],
    [`all ${RECORDS} records are there, updated`, withLog.updated === RECORDS],
    ['verify finds nothing', withLog.report?.ok === true && withLog.report.records === RECORDS],
  ],
)

const right = corrupted && survived
console.log()
console.log(
  (right ? pc.green : pc.red)(
    pc.bold(
      `Log off: ${corrupted ? 'corrupted' : 'NOT corrupted'}, ${RECORDS - without.updated} of ${RECORDS} committed updates lost. ` +
        `Log on: ${survived ? 'unharmed' : 'HARMED'}, ${RECORDS - withLog.updated} lost.`,
    ),
  ),
)
process.exitCode = right ? 0 : 1

/** Updates all records, loses power in the checkpoint, and opens what is left. */
async function pullThePlug(disk: FaultDisk): Promise<Outcome> {
  const before = disk.bytes('db/data')
  const db = open('db', { storage: disk.storage })
  for (const key of keys) db.put(key, textOf(key, 200))
  disk.inject({ effect: 'crash', kinds: ['sync'], path: /data$/, after: 0 })
  await failsWithThePower(db)
  // As the process saw it, the file holds every block that the checkpoint wrote; on the platters it is another matter.
  const after = disk.bytes('db/data')
  const left = disk.crash('sectors', new Random(SEED))
  const torn = compareBlocks(left.bytes('db/data'), before, after)

  say(`${RECORDS} records, each with a balance of 100. The data file before, a glyph per block:`)
  show(compareBlocks(before, before, after))
  say('Each balance becomes 200, and each put returns as committed; the blocks have changed in memory only.')
  call("for (const key of keys) db.put(key, '… balance 200 …')")
  say('A checkpoint writes the changed blocks over the old ones. The power fails before they are synced:')
  say('each sector on its way was written, or was not.')
  call('await db.checkpoint()')
  show(torn)

  say('The next start opens what is left and asks for every record. The data file then:')
  call("open('db')")
  const found = await lookInto(left)
  const states = compareBlocks(left.bytes('db/data'), before, after)
  show(states)
  return { ...found, states, torn }
}

async function failsWithThePower(db: Database): Promise<void> {
  try {
    await db.checkpoint()
  } catch (error) {
    if (error instanceof SimulatedCrash) return
    throw error
  }
  throw new Error('the checkpoint went through; the power should have failed')
}

/** Opens the database and reads every record, whatever it complains of. */
async function lookInto(disk: FaultDisk): Promise<Omit<Outcome, 'states' | 'torn'>> {
  const found: Omit<Outcome, 'states' | 'torn'> = {
    updated: 0,
    old: 0,
    missing: 0,
    refused: [],
    unreadable: 0,
    report: undefined,
  }
  const db = soundly(found.refused, () => open('db', { storage: disk.storage }))
  if (db === undefined) return { ...found, unreadable: RECORDS }
  for (const key of keys) {
    const complaints = found.refused.length
    const value = soundly(found.refused, () => db.get(key))
    if (found.refused.length > complaints) found.unreadable++
    else if (value === textOf(key, 200)) found.updated++
    else if (value === textOf(key, 100)) found.old++
    else found.missing++
  }
  found.report = await db.verify()
  db.close()
  return found
}

/** The answer, or a complaint about damage; any other error is one. */
function soundly<T>(complaints: CorruptionError[], run: () => T): T | undefined {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error
    complaints.push(error)
    return undefined
  }
}

/** The first complaint about a block that is torn. */
function complaintOf({ refused, states }: Outcome): CorruptionError | undefined {
  return refused.find(({ block }) => block !== undefined && states[block] === 'torn')
}

function namesTorn(outcome: Outcome): boolean {
  return complaintOf(outcome)?.code === 'XENON_CORRUPT'
}

function sameStates(some: readonly BlockState[], others: readonly BlockState[]): boolean {
  return some.join() === others.join()
}

function settled(states: readonly BlockState[]): boolean {
  const { torn, old } = countStates(states)
  return torn === 0 && old === 0
}

function call(code: string): void {
  step(code, () => {})
}

function show(states: readonly BlockState[]): void {
  for (const line of ['', ...stateMap(states), '', ...stateLegend(states), '']) say(line && `   ${line}`)
}

/** Says what came out; true if every claim holds. */
function tell(outcome: Outcome, moral: readonly string[], claims: readonly [claim: string, holds: boolean][]): boolean {
  const { updated, old, missing, unreadable, refused } = outcome
  say(`Of ${RECORDS} records: ${updated} updated, ${old} old, ${unreadable} unreadable, ${missing} missing.`)
  const complaint = complaintOf(outcome) ?? refused[0]
  if (complaint) say(pc.red(`${complaint.code}: ${complaint.message}`))
  for (const line of moral) say(line)
  say('')
  for (const [claim, holds] of claims) check(claim, holds)
  return claims.every(([, holds]) => holds)
}
