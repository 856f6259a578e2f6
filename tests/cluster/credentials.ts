/** What `nsc` makes: an operator, an account with JetStream and the system account, and a user of each with its credentials. */
import { randomUUID } from 'node:crypto'
import { nkeys } from '@nats-io/nats-core'

type KeyPair = ReturnType<typeof nkeys.createUser>

export interface OperatorMode {
  /** Lines of a nats-server's configuration. */
  readonly lines: string
  /** Credentials files. */
  readonly user: string
  readonly system: string
}

const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64url')

/** A JWT of NATS: what `issuer` says of `subject`. */
function jwt(issuer: KeyPair, subject: KeyPair, name: string, nats: object): string {
  const claims = { jti: randomUUID(), iat: Math.floor(Date.now() / 1000) - 60, name, nats }
  const parties = { iss: issuer.getPublicKey(), sub: subject.getPublicKey() }
  const text = `${base64('{"typ":"JWT","alg":"ed25519-nkey"}')}.${base64(JSON.stringify({ ...claims, ...parties }))}`
  return `${text}.${base64(issuer.sign(Buffer.from(text)))}`
}

const UNLIMITED = { subs: -1, data: -1, payload: -1 }
const OF_ACCOUNTS = { ...UNLIMITED, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 }
const JETSTREAM = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 }

export function operatorMode(): OperatorMode {
  const operator = nkeys.createOperator()
  const [account, system] = [nkeys.createAccount(), nkeys.createAccount()]
  const accountJwt = (of: KeyPair, name: string, limits: object): string =>
    jwt(operator, of, name, { limits, default_permissions: { pub: {}, sub: {} }, type: 'account', version: 2 })
  const credentials = (of: KeyPair, name: string): string => {
    const user = nkeys.createUser()
    const token = jwt(of, user, name, { pub: {}, sub: {}, ...UNLIMITED, type: 'user', version: 2 })
    const seed = Buffer.from(user.getSeed()).toString()
    return `-----BEGIN NATS USER JWT-----
${token}
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
${seed}
------END USER NKEY SEED------
`
  }
  return {
    lines: `operator: ${jwt(operator, operator, 'operator', { type: 'operator', version: 2 })}
system_account: ${system.getPublicKey()}
resolver: MEMORY
resolver_preload: {
  ${account.getPublicKey()}: ${accountJwt(account, 'xenon', { ...OF_ACCOUNTS, ...JETSTREAM })}
  ${system.getPublicKey()}: ${accountJwt(system, 'SYS', OF_ACCOUNTS)}
}`,
    user: credentials(account, 'node'),
    system: credentials(system, 'observer'),
  }
}
