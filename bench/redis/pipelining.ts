/**
 * A client that pipelines without pause: it has some 10,000 requests on their way all the time. A process of its own,
 * which is to be killed: `pipelining.js PORT set|get`. It says `ready` on stdout once it is at work.
 */
import { connect } from 'node:net'

const BATCH = 1000
const BATCHES = 10
const VALUE_BYTES = 1024
const OK_BYTES = '+OK\r\n'.length
const VALUE_REPLY_BYTES = `$${VALUE_BYTES}\r\n`.length + VALUE_BYTES + 2

function batch(command: string): Buffer {
  const value = command === 'set' ? `$${VALUE_BYTES}\r\n${'v'.repeat(VALUE_BYTES)}\r\n` : ''
  const requests = Array.from({ length: BATCH }, (_, i) => {
    const key = `pipelined:${i}`
    return `*${command === 'set' ? 3 : 2}\r\n$3\r\n${command}\r\n$${key.length}\r\n${key}\r\n${value}`
  })
  return Buffer.from(requests.join(''))
}

const [port, command] = process.argv.slice(2)
const replyBytes = BATCH * (command === 'set' ? OK_BYTES : VALUE_REPLY_BYTES)
const requests = batch(command!)
let missing = BATCH * OK_BYTES
let filled = false

const socket = connect(Number(port), '127.0.0.1', () => socket.write(batch('set')))
socket.on('data', chunk => {
  missing -= chunk.length
  if (missing > 0) return
  if (!filled) {
    // The keys are there, so each reply to a GET has the same length.
    filled = true
    missing = 0
    for (let i = 0; i < BATCHES; i++) send()
    process.stdout.write('ready\n')
    missing = replyBytes
    return
  }
  for (; missing <= 0; missing += replyBytes) send()
})
// The server ends.
socket.on('error', () => process.exit(1))

function send(): void {
  socket.write(requests)
}
