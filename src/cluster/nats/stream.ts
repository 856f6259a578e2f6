/** The stream that a log is: how it is made, and whether the servers have made it so. */
import type { StreamConfig, StreamInfo } from '@nats-io/jetstream'
import {
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream'
import { XenonError } from '../../errors.ts'
import type { LogPlace, LogSettings } from '../services.ts'
import { logName, logSubject } from './names.ts'

/** Error codes of JetStream. */
const STREAM_NOT_FOUND = 10059
const STREAM_NAME_IN_USE = 10058
/** Too few servers are there now. */
const NO_PEERS = 10005

/** What must be as it is here, whatever the settings are; anything else could lose or alter messages. */
const FIXED = {
  retention: RetentionPolicy.Limits,
  storage: StorageType.File,
  // Never `old`: a full log refuses, it does not forget.
  discard: DiscardPolicy.New,
  max_age: 0,
  max_msgs: -1,
  max_msgs_per_subject: -1,
  deny_delete: true,
  deny_purge: false,
  allow_rollup_hdrs: false,
  // Answers come from the leader alone.
  allow_direct: false,
  mirror_direct: false,
  sealed: false,
} as const

const wanted = (place: LogPlace, settings: LogSettings, atomic: boolean): Partial<StreamConfig> & { name: string } => ({
  ...FIXED,
  name: logName(place),
  subjects: [logSubject(place)],
  num_replicas: settings.replicas,
  max_bytes: settings.maxBytes,
  description: 'replicated log of xenondb',
  ...(atomic ? { allow_atomic: true } : {}),
})

/**
 * Makes the stream of a log.
 * @param atomic with atomic batches; all servers know them (2.12 or newer)
 * @throws XenonError `XENON_EXISTS` if there is one; `XENON_NOT_SUPPORTED` if the servers make it otherwise
 */
export async function createStream(
  manager: JetStreamManager,
  place: LogPlace,
  settings: LogSettings,
  atomic: boolean,
): Promise<StreamInfo> {
  const name = logName(place)
  if ((await streamInfo(manager, name)) !== undefined) throw exists(name)
  let info: StreamInfo
  try {
    info = await manager.streams.add(wanted(place, settings, atomic))
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === STREAM_NAME_IN_USE) throw exists(name)
    if (error instanceof JetStreamApiError && error.status !== 503 && error.code !== NO_PEERS)
      throw new XenonError('XENON_NOT_SUPPORTED', `NATS does not make the stream ${name}: ${error.message}`, {
        cause: error,
      })
    throw error
  }
  const problems = problemsOf(info, place)
  if (info.config.num_replicas !== settings.replicas)
    problems.push(`it has ${info.config.num_replicas} replicas in place of ${settings.replicas}`)
  if (problems.length > 0)
    throw new XenonError('XENON_NOT_SUPPORTED', `NATS has made the stream ${name} otherwise: ${problems.join('; ')}`)
  return info
}

const exists = (name: string): XenonError =>
  new XenonError(
    'XENON_EXISTS',
    `there is a stream ${name} already: choose another name for the cluster, or use that one`,
  )

/** Undefined if there is no such stream. */
export async function streamInfo(manager: JetStreamManager, name: string): Promise<StreamInfo | undefined> {
  try {
    return await manager.streams.info(name)
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND) return undefined
    throw error
  }
}

/** Old servers drop fields that they do not know without a word; so what they say that they have is compared. */
export function problemsOf({ config }: StreamInfo, place: LogPlace): string[] {
  const problems: string[] = []
  for (const [field, value] of Object.entries(FIXED)) {
    // What is false or 0 may be left out.
    const found = (config as unknown as Record<string, unknown>)[field] ?? (typeof value === 'boolean' ? false : 0)
    if (found !== value) problems.push(`${field} is ${JSON.stringify(found)} in place of ${JSON.stringify(value)}`)
  }
  const subject = logSubject(place)
  if (config.subjects?.join() !== subject)
    problems.push(`its subjects are ${config.subjects?.join()} in place of ${subject}`)
  if (config.mirror !== undefined || (config.sources ?? []).length > 0) problems.push('it copies other streams')
  if (config.subject_transform !== undefined) problems.push('it changes subjects')
  if (config.persist_mode === 'async') problems.push('persist_mode is async: acknowledged messages are not on the disk')
  if (config.no_ack === true) problems.push('no_ack: appends are not acknowledged')
  return problems
}

/** Messages of an append at most: the server's limit on a batch. */
const MAX_BATCH = 1_000

/** Messages that one append may store: several only if the servers said that they know atomic batches. */
export const batchOf = (info: StreamInfo): number => (info.config.allow_atomic === true ? MAX_BATCH : 1)
