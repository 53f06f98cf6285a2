import type { Framework } from './framework.ts'

/** SOC 2 Type II (2017 Trust Services Criteria). */
export const soc2 = {
  id: 'soc2-2017',
  title: 'SOC 2 Type II (2017 Trust Services Criteria)',
  limits:
    'Technical evidence for parts of CC6 and CC7 only: policies, access reviews, incident response and the opinion itself are the work of the organisation and its auditor.',
  controls: [
    {
      id: 'CC6.1',
      title: 'Access Control',
      rules: ['CIS-RBAC', 'VM001', 'VM002'],
      coverage: 'supporting',
      published: ['CC6.1'],
      relation: 'ok',
      note: '',
      customerAction: null,
    },
    {
      id: 'CC6.2',
      title: 'Credential Lifecycle',
      rules: ['P001', 'P002', 'P003', 'P007', 'P008', 'P012', 'P013', 'P014', 'VM003', 'VM004'],
      coverage: 'direct',
      published: ['CC6.1'],
      relation: 'retitled',
      note: 'canonical CC6.2 = registering, authorising and removing users; rotation evidence belongs to CC6.1; coverage Supporting, not Direct',
      customerAction: null,
    },
    {
      id: 'CC6.3',
      title: 'Data Protection (destruction protection)',
      rules: ['CIS-8.5', 'CIS-8.6'],
      coverage: 'direct',
      published: ['A1.2'],
      relation: 'wrong',
      note: 'canonical CC6.3 = role-based access, least privilege, segregation of duties; CIS-RBAC belongs there',
      customerAction: null,
    },
    {
      id: 'CC7.1',
      title: 'Security Configuration',
      rules: ['VM002', 'CIS-8.7'],
      coverage: 'supporting',
      published: ['CC7.1', 'CC6.6 (CIS-8.7)'],
      relation: 'partial',
      note: '',
      customerAction: null,
    },
    {
      id: 'CC7.2',
      title: 'System Monitoring',
      rules: ['VM003', 'VM004', 'P009', 'P010'],
      coverage: 'supporting',
      published: ['CC7.2'],
      relation: 'weak',
      note: 'seed elsewhere calls CC7.2 a logging gap of the customer',
      customerAction: null,
    },
  ],
} as const satisfies Framework
