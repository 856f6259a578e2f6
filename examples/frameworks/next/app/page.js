import { notes } from '../lib/notes.js'

// Rendered for each request: what is in the database when `next build` runs is of no interest.
export const dynamic = 'force-dynamic'

export default function Page() {
  return (
    <ul>
      {[...notes().entries()].map(([key, { text }]) => (
        <li key={key}>{text}</li>
      ))}
    </ul>
  )
}
