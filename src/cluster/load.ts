/** Loads what speaks to NATS, and the packages that it needs, for whoever asks for a cluster; nobody else needs them. */
import { reasonOf, XenonError } from '../errors.ts'
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
