import { RouteSettings } from '@attestry/contracts'
import { expect, test } from 'vitest'
import { CAREFUL, formOf, settingsOf } from './route-settings.ts'

test('a form that nobody touched gives the settings back', () => {
  const settings: RouteSettings = {
    ...CAREFUL,
    name: 'payments',
    selector: {
      names: ['db-*', 'mail'],
      tags: [
        ['sync', 'aws'],
        ['team', '*'],
      ],
      contentTypes: ['text/plain'],
    },
    overrides: [['db-main', 'prod/db']],
    tags: [
      ['*', '*'],
      ['owner', 'team'],
    ],
    daily: { at: '02:30', zone: 'Europe/Berlin' },
  }
  expect(settingsOf(formOf(settings))).toEqual(settings)
  expect(RouteSettings.safeParse(settings).success).toBe(true)
})

test('lines are trimmed, empty ones left out, and a line without a sign stands for itself or for any value', () => {
  const form = {
    ...formOf(CAREFUL),
    names: ' db-* \n\n',
    tagged: 'sync=aws\nteam',
    tags: 'owner = team \nstage',
  }
  expect(settingsOf(form)).toMatchObject({
    selector: {
      names: ['db-*'],
      tags: [
        ['sync', 'aws'],
        ['team', '*'],
      ],
    },
    tags: [
      ['owner', 'team'],
      ['stage', 'stage'],
    ],
  })
})
