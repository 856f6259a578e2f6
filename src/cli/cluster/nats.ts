/** The options that say how NATS is reached, as `serve --cluster` and `cluster` take them. */
import type { Command } from 'cac'
import { connectNats } from '../../cluster/load.ts'
import type { ClusterServices, NatsCredentials, NatsOptions } from '../../cluster/services.ts'
import { flagOption, type Options, textOption } from '../arguments.ts'
import { UsageError } from '../errors.ts'

export function natsOptions(command: Command): Command {
  return command
    .option('--nats <urls>', 'nats-servers, nats://HOST:PORT,… (or XENONDB_NATS)')
    .option('--nats-user <name>', 'User of the account with JetStream')
    .option('--nats-password <password>', 'Its password (or XENONDB_NATS_PASSWORD)')
    .option('--nats-nkey <file>', 'Seed of an nkey, in place of a user')
    .option('--nats-creds <file>', 'Credentials as nsc writes them, in place of a user')
    .option('--nats-ca <file>', 'TLS: trust this certificate (PEM)')
    .option('--nats-cert <file>', 'TLS: certificate to show (PEM)')
    .option('--nats-key <file>', 'TLS: its key (PEM)')
    .option('--nats-tls', 'TLS, with the certificates that the system trusts')
    .option('--nats-system-user <name>', 'User of the system account, who may ask each server how it is configured')
    .option('--nats-system-password <password>', 'Its password (or XENONDB_NATS_SYSTEM_PASSWORD)')
    .option('--nats-system-creds <file>', 'Credentials of the system account, in place of a user')
    .option(
      '--nats-monitor <urls>',
      'In place of the system account: the monitor of each server, http://HOST:PORT,… (or XENONDB_NATS_MONITOR)',
    )
    .option('--nats-trust', 'Use servers whose configuration nobody may ask for: acknowledged data may be lost')
}

export function readNats(options: Options): NatsOptions {
  const servers = listOf(textOption(options, 'nats') ?? process.env.XENONDB_NATS)
  if (servers.length === 0) throw new UsageError('--nats nats://HOST:PORT,… says where NATS is')
  const [caFile, certFile, keyFile] = ['natsCa', 'natsCert', 'natsKey'].map(name => textOption(options, name))
  const hasTls = flagOption(options, 'natsTls') || [caFile, certFile, keyFile].some(file => file !== undefined)
  const monitors = listOf(textOption(options, 'natsMonitor') ?? process.env.XENONDB_NATS_MONITOR)
  const system: NatsCredentials = {
    user: textOption(options, 'natsSystemUser'),
    password: textOption(options, 'natsSystemPassword') ?? process.env.XENONDB_NATS_SYSTEM_PASSWORD,
    credsFile: textOption(options, 'natsSystemCreds'),
  }
  const hasSystem = system.user !== undefined || system.credsFile !== undefined
  return {
    servers,
    user: textOption(options, 'natsUser'),
    password: textOption(options, 'natsPassword') ?? process.env.XENONDB_NATS_PASSWORD,
    nkeyFile: textOption(options, 'natsNkey'),
    credsFile: textOption(options, 'natsCreds'),
    tls: hasTls ? { caFile, certFile, keyFile } : undefined,
    system: hasSystem ? system : undefined,
    monitors: monitors.length > 0 ? monitors : undefined,
    trustServers: flagOption(options, 'natsTrust'),
  }
}

const listOf = (text: string | undefined): string[] =>
  (text ?? '')
    .split(',')
    .map(each => each.trim())
    .filter(each => each !== '')

/** Connects, runs `work`, and ends the connection whatever happens. */
export async function withNats<R>(options: NatsOptions, work: (services: ClusterServices) => Promise<R>): Promise<R> {
  const services = await connectNats(options)
  try {
    return await work(services)
  } finally {
    await services.close()
  }
}
