import '../jitless.ts'
import '../styles/index.css'
import './fleet.css'
import { render } from 'solid-js/web'
import { FleetApp } from './fleet-app.tsx'

const root = document.getElementById('fleet')
if (!root) throw new Error('index.html has no #fleet')
render(() => <FleetApp />, root)
