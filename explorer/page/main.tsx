import { render } from 'preact'
import { App } from './app.tsx'
import './style.css'
import { httpTransport } from './transport.ts'

const root = document.getElementById('app')!
root.textContent = ''
render(<App transport={httpTransport} />, root)
