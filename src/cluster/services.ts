/**
 * What a cluster asks of the system that replicates its logs, beyond one log: to make logs, to keep the map, to carry what
 * nodes ask one another. `nats/` implements it; nothing here knows NATS but by the options that a caller gives.
 */
import type { MoveChannel } from './moves/move-channel.ts'
import type { Peers } from './peers.ts'
import type { ShardMapStore } from './shard-map.ts'
import type { LogCheck, SharedLog } from './shared-log.ts'

/** The log of one shard; a new generation is a new log. */
export interface LogPlace {
  readonly cluster: string
  readonly shard: number
  readonly generation: number
}

export interface LogSettings {
  /** Servers that hold the log: 3, or 1 where there is one server. */
  readonly replicas: 1 | 3 | 5
  /** Bytes of the log from which on appends are refused (-1: none, until a server's disk is full). */
  readonly maxBytes: number
}

export interface ClusterServices {
  /** Servers that can hold a log: 1 for a single server, else 3. */
  readonly replicas: 1 | 3
  /**
   * Makes the log of a shard.
   * @throws XenonError `XENON_EXISTS` if there is one; `XENON_NOT_SUPPORTED` if the servers do not make it as it must be
   */
  createLog(place: LogPlace, settings: LogSettings): Promise<SharedLog>
  /** @throws XenonError `XENON_NOT_FOUND` if there is none, `XENON_CONNECTION` if nobody says */
  openLog(place: LogPlace): Promise<SharedLog>
  /** Where the map of a cluster is kept; it is made by the first one who reads or writes it. */
  shardMap(cluster: string): ShardMapStore
  /**
   * @param node number of this node
   * @param members numbers of the shard's nodes as the map has them: once all have answered, no other is waited for
   */
  peers(cluster: string, shard: number, node: number, members?: () => readonly number[]): Peers
  /** What shards of a cluster ask one another about moves of slots. */
  moves(cluster: string): MoveChannel
  /** How the servers are configured, without a log yet; see `SharedLog.check`. */
  checkServers(): Promise<LogCheck>
  /** Ends the connections; logs, maps and peers of these services answer no more. */
  close(): Promise<void>
}

/** Who one is to NATS; none of them: servers that ask for nothing. */
export interface NatsCredentials {
  /** A user of the account with JetStream. */
  readonly user?: string | undefined
  /** Of the user. */
  readonly password?: string | undefined
  /** File with the seed of an nkey (`SU…`). */
  readonly nkeyFile?: string | undefined
  /** File as `nsc` writes it: a JWT and the seed of an nkey. */
  readonly credsFile?: string | undefined
}

/** PEM files. `{}`: TLS by the system's authorities and without a certificate of one's own. */
export interface NatsTls {
  /** Certificates of the authorities that are trusted. */
  readonly caFile?: string | undefined
  /** Certificate to show to the servers. */
  readonly certFile?: string | undefined
  /** Its key. */
  readonly keyFile?: string | undefined
}

/** How NATS is reached. */
export interface NatsOptions extends NatsCredentials {
  /** `nats://HOST:PORT` (or `tls://HOST:PORT`) of one or more servers; they name the others of their cluster. */
  readonly servers: readonly string[]
  /** Over TLS, as these files say. */
  readonly tls?: NatsTls | undefined
  /** Of the system account, which may ask each server how it is configured. */
  readonly system?: NatsCredentials | undefined
  /** In its place: the monitor of each server, `http://HOST:PORT`. */
  readonly monitors?: readonly string[] | undefined
  /** Uses servers whose configuration nobody can look up; the check warns of it. */
  readonly trustServers?: boolean | undefined
  /** Shown in the monitors of NATS; `xenondb` if not given. */
  readonly name?: string | undefined
}
