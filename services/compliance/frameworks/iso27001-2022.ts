import type { Framework } from './framework.ts'

/** ISO/IEC 27001:2022. */
export const iso27001 = {
  id: 'iso27001-2022',
  title: 'ISO/IEC 27001:2022',
  limits:
    'A few of the 93 controls of Annex A are touched, those on cryptography and credentials; certification needs the management system and an accredited body.',
  controls: [
    {
      id: 'A.10.1.2-keys',
      title: 'Key Management',
      rules: ['K001', 'K002', 'K003', 'K005', 'K006', 'P003'],
      coverage: 'direct',
      published: ['2022: A.8.24', '2013: A.10.1.2'],
      relation: 'old-edition',
      note: 'P003 is a secret rule: A.5.17',
      customerAction: null,
    },
    {
      id: 'A.10.1.2-certs',
      title: 'Certificate Management',
      rules: ['C001', 'C002', 'C003', 'C005', 'C006'],
      coverage: 'direct',
      published: ['2022: A.8.24', '2013: A.10.1.2'],
      relation: 'old-edition',
      note: '',
      customerAction: null,
    },
    {
      id: 'A.9.4.3',
      title: 'Password Management System',
      rules: ['VM001', 'VM004'],
      coverage: 'supporting',
      published: ['2022: A.5.17', '2013: A.9.4.3'],
      relation: 'old-edition',
      note: 'VM001 is inventory: A.5.9',
      customerAction: null,
    },
  ],
} as const satisfies Framework
