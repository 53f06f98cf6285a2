import { everyPage } from './testing/pages.fixture.ts'

everyPage(390, 'from-before')
