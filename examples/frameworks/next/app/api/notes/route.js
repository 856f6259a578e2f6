import { randomUUID } from 'node:crypto'
import { notes } from '../../../lib/notes.js'

export async function POST(request) {
  const { text } = await request.json()
  const key = randomUUID()
  await notes().async.put(key, { text })
  return Response.json({ key }, { status: 201 })
}

export async function GET() {
  return Response.json({ pid: process.pid, count: notes().count() })
}
