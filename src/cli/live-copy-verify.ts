/**
 * Checks a database that another process has open, by a copy of it. What is wrong in the copy is looked up in the live
 * file before it is called damage: a block may have been under way.
 */

import { CorruptionError, DatabaseLockedError, nodeStorage, open, type VerifyReport, XenonError } from '../index.ts'
import { blockProblem, DataFile } from '../pager/data-file.ts'
import { METADATA_BYTES, Metadata } from '../pager/metadata.ts'
import { Arena } from '../runtime/bytes.ts'
import { refuseIfHeld } from '../storage/lock.ts'
import { copyLive } from './live-copy.ts'

const REREADS = 5
const REREAD_PAUSE_MS = 20

export interface LiveReport {
  report: VerifyReport
  /** The copy is of everything that was written below this LSN. */
  lsn: number
}

export interface Steps {
  onCopy(done: number, total: number): void | Promise<void>
  onVerify(done: number, total: number): void
}

/** Something is wrong with the copy, and nothing that can be seen of it in the live file: another copy decides. */
export class InDoubt extends Error {
  override name = 'InDoubt'
  /** What the copy showed. */
  readonly outcome: LiveReport | XenonError

  constructor(outcome: LiveReport | XenonError) {
    super(outcome instanceof XenonError ? outcome.message : outcome.report.problems[0])
    this.outcome = outcome
  }
}

/** Says who has the database open, without touching anything. */
export function liveOwner(directory: string): DatabaseLockedError | undefined {
  try {
    refuseIfHeld(directory)
    return undefined
  } catch (error) {
    if (error instanceof DatabaseLockedError) return error
    throw error
  }
}

/** Copies the live database into `place`, recovers the copy and checks it. */
export async function verifyLive(directory: string, place: string, steps: Steps): Promise<LiveReport> {
  const { lsn } = await copyLive(nodeStorage, directory, place, { onPiece: steps.onCopy })
  const outcome = await verifyCopy(directory, place, lsn, steps)
  if (outcome instanceof XenonError) {
    if (outcome.block === undefined || !(await staysBad(directory, [outcome.block]))) throw new InDoubt(outcome)
    throw outcome
  }
  const { ok, damagedBlocks } = outcome.report
  if (!ok && (damagedBlocks.length === 0 || !(await staysBad(directory, damagedBlocks)))) throw new InDoubt(outcome)
  return outcome
}

/** The report on the copy, or why it cannot be opened; with the paths of the live files. */
async function verifyCopy(
  directory: string,
  place: string,
  lsn: number,
  steps: Steps,
): Promise<LiveReport | CopyCorrupt> {
  try {
    const db = open<Uint8Array>(place, {
      valueEncoding: 'binary',
      keyEncoding: 'binary',
      storedEncoding: 'ignore',
      createIfMissing: false,
      durability: 'none',
    })
    try {
      const report = await db.verify({ onProgress: ({ done, total }) => steps.onVerify(done, total) })
      const problems = report.problems.map(problem => problem.replaceAll(place, directory))
      return { lsn, report: { ...report, problems } }
    } finally {
      db.close()
    }
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error
    return new CopyCorrupt(error.message.replaceAll(place, directory), error.block)
  }
}

class CopyCorrupt extends XenonError {
  readonly block: number | undefined

  constructor(message: string, block: number | undefined) {
    super('XENON_CORRUPT', message)
    this.block = block
  }
}

/** Whether all these blocks are bad in the live file too, however often they are read. */
async function staysBad(directory: string, blocks: readonly number[]): Promise<boolean> {
  const file = nodeStorage.open(nodeStorage.join(directory, 'data'), { readOnly: true })
  try {
    const head = new Uint8Array(METADATA_BYTES)
    const got = file.read(head, 0, head.length, 0)
    const data = new DataFile(file, Metadata.decode(head.subarray(0, got), file.path, nodeStorage), nodeStorage)
    for (const block of blocks) if (block > 0 && !(await blockStaysBad(data, block))) return false
    return true
  } finally {
    file.close()
  }
}

async function blockStaysBad(data: DataFile, block: number): Promise<boolean> {
  const arena = new Arena(data.blockSize)
  for (let i = 0; i < REREADS; i++) {
    if (i > 0) await new Promise(resolve => setTimeout(resolve, REREAD_PAUSE_MS))
    if ((data.read(block, arena, 0) ?? blockProblem(arena, 0, data.blockSize)) === undefined) return false
  }
  return true
}
