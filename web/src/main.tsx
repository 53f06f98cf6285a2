import './jitless.ts'
import './styles/index.css'
import { render } from 'solid-js/web'
import { App } from './app.tsx'

const root = document.getElementById('console')
if (!root) throw new Error('index.html has no #console')
render(() => <App />, root)
