/**
 * The cluster's services on NATS: the logs of the shards, the map, the peers. This folder alone imports `@nats-io`;
 * whoever needs it loads it by `connectNats`, so that nobody else has to install that.
 */
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { XenonError } from '../../errors.ts'
import type { MoveChannel } from '../moves/move-channel.ts'
import type { Peers } from '../peers.ts'
import type { ClusterServices, LogPlace, LogSettings, NatsOptions } from '../services.ts'
import type { ShardMapStore } from '../shard-map.ts'
import type { LogCheck, SharedLog } from '../shared-log.ts'
import { ANSWER_MS, NatsLink } from './connection.ts'
import { StreamLog } from './log.ts'
import { NatsMoves } from './moves.ts'
import { peersSubject, snapshotBucket } from './names.ts'
import { NatsPeers } from './peers.ts'
import { isAtLeast, judgeServers, type NatsServer, serversByMonitors, serversBySystem } from './servers.ts'
import { KvShardMap } from './shard-map-store.ts'
import { ObjectSnapshots } from './snapshots.ts'
import { createStream } from './stream.ts'

/** From this version on servers know atomic batches. */
const BATCHES = '2.12.0'

export class Nats implements ClusterServices {
  readonly #link: NatsLink
  readonly #system: NatsLink | undefined
  readonly #options: NatsOptions
  readonly #client: JetStreamClient
  readonly #manager: JetStreamManager

  private constructor(link: NatsLink, system: NatsLink | undefined, options: NatsOptions, manager: JetStreamManager) {
    this.#link = link
    this.#system = system
    this.#options = options
    this.#manager = manager
    this.#client = jetstream(link.connection, { timeout: ANSWER_MS })
  }

  /**
   * @throws InvalidArgumentError if an option is wrong
   * @throws XenonError `XENON_CONNECTION` if no server answers now, or none takes the credentials
   */
  static async connect(options: NatsOptions): Promise<Nats> {
    const link = await NatsLink.open(options)
    try {
      const system = options.system === undefined ? undefined : await NatsLink.open(options, options.system)
      return new Nats(
        link,
        system,
        options,
        await jetstreamManager(link.connection, { checkAPI: false, timeout: ANSWER_MS }),
      )
    } catch (error) {
      await link.close()
      throw error
    }
  }

  get replicas(): 1 | 3 {
    return this.#link.connection.info?.cluster === undefined ? 1 : 3
  }

  async createLog(place: LogPlace, settings: LogSettings): Promise<SharedLog> {
    await this.#link.ask('a new log', async () => {
      const servers = await this.#servers([])
      const versions = servers?.map(({ version }) => version) ?? [this.#link.connection.info?.version ?? '0']
      const atomic = versions.length > 0 && versions.every(version => isAtLeast(version, BATCHES))
      return createStream(this.#manager, place, settings, atomic)
    })
    return this.openLog(place)
  }

  async openLog(place: LogPlace): Promise<SharedLog> {
    const snapshots = (replicas: number): ObjectSnapshots =>
      new ObjectSnapshots(this.#link, this.#client, { bucket: snapshotBucket(place), replicas })
    const servers = (warnings: string[]): Promise<readonly NatsServer[] | undefined> => this.#servers(warnings)
    return StreamLog.open(place, { link: this.#link, manager: this.#manager, snapshots, servers })
  }

  shardMap(cluster: string): ShardMapStore {
    return new KvShardMap(this.#link, this.#client, cluster, this.replicas)
  }

  peers(cluster: string, shard: number, node: number, members?: () => readonly number[]): Peers {
    return new NatsPeers(this.#link, peersSubject(cluster, shard), node, members)
  }

  moves(cluster: string): MoveChannel {
    return new NatsMoves(this.#link, cluster)
  }

  /**
   * How the servers are configured. Undefined, with a warning, if nobody may ask and `trustServers` was given.
   * @throws XenonError `XENON_NOT_SUPPORTED` if nobody may ask, and it was not; `XENON_CONNECTION` if no monitor answers
   */
  async #servers(warnings: string[]): Promise<readonly NatsServer[] | undefined> {
    const { monitors, trustServers } = this.#options
    if (this.#system !== undefined) return serversBySystem(this.#system, ANSWER_MS)
    if (monitors !== undefined) {
      const silent: string[] = []
      const found = await serversByMonitors(monitors, ANSWER_MS, silent)
      // They may come later, as the servers may: that nothing is known is no fault of the servers.
      if (silent.length === monitors.length) throw new XenonError('XENON_CONNECTION', silent.join('; '))
      warnings.push(...silent)
      return found
    }
    if (trustServers !== true)
      throw new XenonError(
        'XENON_NOT_SUPPORTED',
        'nobody may ask the nats-servers how they are configured: give a user of the system account, or their monitors',
      )
    warnings.push('the configuration of the nats-servers is taken on trust: acknowledged data may be lost')
    return undefined
  }

  checkServers(): Promise<LogCheck> {
    return this.#link.ask('check of the nats-servers', async () => {
      const problems: string[] = []
      const warnings: string[] = []
      const servers = await this.#servers(warnings)
      if (servers !== undefined) {
        judgeServers(servers, problems, warnings)
        if (servers.length === 0) problems.push('no nats-server with JetStream has told how it is configured')
      }
      return { servers: servers ?? [], problems, warnings }
    })
  }

  async close(): Promise<void> {
    await this.#system?.close()
    await this.#link.close()
  }
}
