import { everyPage } from './testing/pages.fixture.ts'

everyPage(1280, 'by-address')
