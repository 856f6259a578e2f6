/** Loads what speaks to NATS, and the packages that it needs, for whoever asks for a cluster; nobody else needs them. */
import { reasonOf, XenonError } from '../errors.ts'
import { performance, setTimeout } from '../runtime/timers.ts'
import type { ClusterServices, NatsOptions } from './services.ts'

/** What is to be installed beside xenondb. */
export const NATS_PACKAGES: readonly string[] = [
  '@nats-io/transport-node',
  '@nats-io/jetstream',
  '@nats-io/kv',
  '@nats-io/obj',
]

/**
 * Connects to NATS.
 * @throws XenonError `XENON_NOT_SUPPORTED` if the packages of NATS are not installed
 * @throws InvalidArgumentError if an option is wrong
 * @throws XenonError `XENON_CONNECTION` if no server answers now, or none takes the credentials
 */
export async function connectNats(options: NatsOptions): Promise<ClusterServices> {
  let nats: typeof import('./nats/index.ts')
  try {
    nats = await import('./nats/index.ts')
  } catch (cause) {
    const isMissing = ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'].includes((cause as { code?: string }).code ?? '')
    throw new XenonError(
      'XENON_NOT_SUPPORTED',
      isMissing
        ? `a cluster needs packages that are not installed: npm install ${NATS_PACKAGES.join(' ')}`
        : `a cluster needs the packages ${NATS_PACKAGES.join(', ')}, which cannot be loaded: ${reasonOf(cause)}`,
      { cause },
    )
  }
  return nats.Nats.connect(options)
}

/** Between two attempts, in milliseconds. */
const RETRY_MS = 250

/**
 * Asks again and again while NATS does not answer (`XENON_CONNECTION`), for `ms` milliseconds: servers that are starting
 * take some seconds until one leads.
 *
 * @example const log = await patiently(() => services.openLog(place))
 * @throws whatever else `question` rejects with, at once; what it rejected with last, when the time is over
 */
export async function patiently<T>(question: () => Promise<T>, ms: number = Number.POSITIVE_INFINITY): Promise<T> {
  const deadline = performance.now() + ms
  for (;;) {
    try {
      return await question()
    } catch (error) {
      if (!XenonError.is(error, 'XENON_CONNECTION') || performance.now() > deadline) throw error
    }
    await new Promise<void>(resolve => setTimeout(resolve, RETRY_MS))
  }
}
