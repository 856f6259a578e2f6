/**
 * Bytes as they come, right and wrong: both servers answer the same bytes, and both close the connection or neither.
 */
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pause } from '../support/child.ts'
import { withDirectory } from '../support/directory.ts'
import { hasRedis, type RunningServer, startRedis, startXenon } from './servers.ts'

interface Heard {
  bytes: string
  closed: boolean
}

/** What a server says to these bytes until it closes, or is silent for a while. */
function say(port: number, bytes: string | Buffer, silence: number = 250): Promise<Heard> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let heard = Buffer.alloc(0)
    const finish = (closed: boolean): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ bytes: heard.toString('latin1'), closed })
    }
    let timer = setTimeout(() => finish(false), silence * 4)
    socket.once('connect', () => socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes))
    socket.on('data', chunk => {
      heard = Buffer.concat([heard, chunk])
      clearTimeout(timer)
      timer = setTimeout(() => finish(false), silence)
    })
    socket.on('close', () => finish(true))
    socket.on('error', error => {
      if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') reject(error)
    })
  })
}

const array = (...words: string[]): string =>
  `*${words.length}\r\n${words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`
const PING = array('PING')

const OPEN: Readonly<Record<string, string>> = {
  'an inline command': 'PING\r\n',
  'an inline command with a line feed alone': 'PING\n',
  'empty inline lines': '\r\n\r\nPING\r\n',
  'inline spaces': '  PING   hello  \r\n',
  'inline quotes': `SET p "b \\x41\\n c"\r\nGET p\r\nSET p 'it\\'s'\r\nGET p\r\n`,
  'an inline quote that is not closed': 'SET a "b\r\nPING\r\n',
  'an inline quote with something behind it': 'SET a "b"c\r\nPING\r\n',
  'an inline line without an end': 'x'.repeat(70_000),
  'an empty array': `*0\r\n${PING}`,
  'an array of -1': `*-1\r\n${PING}`,
  'an array of -5': `*-5\r\n${PING}`,
  'an array of 2147483648': '*2147483648\r\n',
  'an array of letters': '*abc\r\n',
  'an array of nothing': '*\r\n',
  'a count without an end': `*${'1'.repeat(70_000)}`,
  'no bulk in an array': '*1\r\n+PING\r\n',
  'a number in an array': '*1\r\n:1\r\n',
  'an array in an array': '*1\r\n*1\r\n$4\r\nPING\r\n',
  'a bulk of -1': '*1\r\n$-1\r\n',
  'a bulk of letters': '*1\r\n$abc\r\n',
  'an HTTP POST': 'POST / HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'an HTTP host': 'Host: localhost\r\nPING\r\n',
  'a wrong command, then a right one': `${array('NOSUCH', 'a b', 'x'.repeat(200))}${PING}`,
  'an unknown command with a line end in it': array('a\r\nb', 'c\nd'),
  'QUIT ends the conversation': `${array('QUIT')}${PING}`,
  'a transaction': 'MULTI\r\nSET t 1\r\nINCR t\r\nGET t\r\nEXEC\r\n',
  'a transaction with an unknown command': 'MULTI\r\nNOSUCH\r\nSET t 1\r\nEXEC\r\nGET t\r\n',
  'a transaction with a wrong number of arguments': 'MULTI\r\nGET\r\nEXEC\r\nPING\r\n',
  'a transaction in a transaction': 'MULTI\r\nMULTI\r\nWATCH a\r\nEXEC\r\n',
  'EXEC and DISCARD without MULTI': 'EXEC\r\nDISCARD\r\nDISCARD x\r\n',
  'QUIT in a transaction': 'MULTI\r\nSET t 9\r\nQUIT\r\nPING\r\n',
  'RESET in a transaction': 'MULTI\r\nSET t 9\r\nRESET\r\nEXEC\r\nPING\r\n',
  'RESP3 nulls': `${array('HELLO', '9')}GET nobody\r\nMGET nobody nobody\r\nSCAN 0 MATCH nothing COUNT 1000\r\n`,
  SELECT: 'SELECT 0\r\nSELECT 1\r\nSELECT x\r\nSELECT\r\n',
  'AUTH without a password': 'AUTH x\r\nAUTH default x\r\nAUTH who x\r\n',
  'SHUTDOWN that makes no sense': 'SHUTDOWN bogus\r\nSHUTDOWN NOSAVE SAVE\r\nSHUTDOWN ABORT NOW\r\nSHUTDOWN ABORT\r\n',
  'COMMAND INFO of nothing': `${array('COMMAND', 'INFO', 'nosuch', 'more')}`,
  'MEMORY USAGE of nothing': 'MEMORY USAGE nobody\r\nMEMORY USAGE\r\nMEMORY USAGE nobody SAMPLES x\r\nMEMORY BOGUS\r\n',
  'CLIENT, wrongly':
    'CLIENT\r\nCLIENT KILL\r\nCLIENT KILL 1.2.3.4:5\r\nCLIENT KILL ID 99999\r\nCLIENT KILL ID x\r\nCLIENT KILL TYPE bogus\r\nCLIENT LIST TYPE bogus\r\nCLIENT LIST ID x\r\nCLIENT LIST bogus\r\nCLIENT NO-EVICT maybe\r\n',
  'CONFIG, wrongly':
    'CONFIG SET timeout 1 timeout 2\r\nCONFIG SET timeout x nosuch 1\r\nCONFIG SET timeout x timeout 1\r\nCONFIG\r\nCONFIG GET\r\nCONFIG SET a\r\nCONFIG SET nosuch 1\r\nCONFIG BOGUS\r\n',
  'administration, wrongly':
    'SAVE x\r\nBGSAVE bogus\r\nLASTSAVE x\r\nTIME x\r\nDBSIZE x\r\nRANDOMKEY x\r\nINFO nosuch\r\nECHO\r\nPING a b\r\n',
  'upper and lower case': 'pInG\r\nEcHo Hi\r\nset Q 1 eX 10000 nX\r\n',
  'bytes of all kinds': `${array('SET', 'bin', '\0\r\n$5\r\n')}${array('GET', 'bin')}`,
}

const WITH_PASSWORD: Readonly<Record<string, string>> = {
  'commands before AUTH': 'GET a\r\nNOSUCH\r\nSET\r\nPING\r\nECHO x\r\nMULTI\r\nRESET\r\nQUIT\r\n',
  'HELLO before AUTH': 'HELLO\r\nHELLO 3\r\n',
  'a wrong password': 'AUTH wrong\r\nAUTH default wrong\r\nAUTH who secret\r\nAUTH\r\nAUTH a b c\r\nGET a\r\n',
  'a wrong password in HELLO': 'HELLO 3 AUTH default wrong\r\nHELLO 3 AUTH\r\nHELLO 3 BOGUS\r\nHELLO 3 SETNAME\r\n',
  'the right password': 'AUTH secret\r\nSET a 1\r\nGET a\r\nRESET\r\nGET a\r\nAUTH default secret\r\nGET a\r\n',
  'an array of 11 before AUTH': '*11\r\n$3\r\nGET\r\n',
  'a bulk of 16385 before AUTH': '*2\r\n$3\r\nGET\r\n$16385\r\n',
  'an array of 10 before AUTH': array('MGET', ...'abcdefghi'),
}

describe.skipIf(!hasRedis)('the same bytes', () => {
  const running: RunningServer[] = []
  let open: [redis: RunningServer, xenon: RunningServer]
  let guarded: [redis: RunningServer, xenon: RunningServer]
  let finish: () => void

  beforeAll(async () => {
    const directory = await new Promise<string>(resolve => {
      void withDirectory(path => {
        resolve(path)
        return new Promise<void>(done => {
          finish = done
        })
      })
    })
    const started = async (server: Promise<RunningServer>): Promise<RunningServer> => {
      running.push(await server)
      return running.at(-1)!
    }
    open = [await started(startRedis(directory)), await started(startXenon(`${directory}/open`))]
    guarded = [
      await started(startRedis(directory, '--requirepass', 'secret')),
      await started(startXenon(`${directory}/guarded`, '--password', 'secret')),
    ]
  })

  afterAll(async () => {
    for (const server of running) await server.stop()
    finish?.()
  })

  test.each(Object.entries(OPEN))('%s', async (_, bytes) => {
    const [redis, xenon] = await Promise.all(open.map(({ port }) => say(port, bytes)))
    expect(xenon).toEqual(redis)
  })

  test.each(Object.entries(WITH_PASSWORD))('%s', async (_, bytes) => {
    const [redis, xenon] = await Promise.all(guarded.map(({ port }) => say(port, bytes)))
    expect(xenon).toEqual(redis)
  })

  test('what has expired is gone for every command', async () => {
    const [redis, xenon] = await Promise.all(
      open.map(async ({ port }) => {
        const first = await say(
          port,
          'FLUSHALL\r\nSET a 1 PX 100\r\nSET b 2 PX 100000\r\nPSETEX c 100 3\r\nSET d 4\r\nPEXPIRE d 100\r\n',
        )
        await pause(200)
        const then = await say(
          port,
          'GET a\r\nEXISTS a b c d\r\nTTL a\r\nTYPE c\r\nSTRLEN d\r\nGETSET c 5\r\nTTL c\r\nAPPEND d 6\r\nRENAME a x\r\nSET a 7 XX\r\nSET a 8 KEEPTTL\r\nTTL a\r\nINCR a\r\nPERSIST a\r\nDEL a b c d\r\nDBSIZE\r\n',
        )
        return [first, then]
      }),
    )
    expect(xenon).toEqual(redis)
  })
})
