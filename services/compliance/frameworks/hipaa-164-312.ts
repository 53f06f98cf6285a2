import type { Framework } from './framework.ts'

/** HIPAA Security Rule §164.312. */
export const hipaa = {
  id: 'hipaa-164.312',
  title: 'HIPAA Security Rule §164.312',
  limits:
    'A mapping of evidence to technical safeguards, no more: Attestry sees no health information, and audit controls and authentication are the customer’s to show.',
  controls: [
    {
      id: '164.312(a)(1)',
      title: 'Access Control',
      rules: ['CIS-RBAC', 'CIS-8.7', 'VM002'],
      coverage: 'supporting',
      published: ['164.312(a)(1)'],
      relation: 'ok',
      note: '',
      customerAction: null,
    },
    {
      id: '164.312(a)(2)(iv)',
      title: 'Encryption and Decryption (Addressable)',
      rules: ['K006', 'C006', 'CIS-8.5', 'CIS-8.6', 'KMS-HSM'],
      coverage: 'supporting',
      published: ['164.312(a)(2)(iv)'],
      relation: 'ok',
      note: 'recoverability fits 164.308(a)(7)(ii)(A)',
      customerAction: null,
    },
    {
      id: '164.312(b)',
      title: 'Audit Controls',
      rules: [],
      coverage: 'customer',
      published: ['164.312(b)'],
      relation: 'ok',
      note: '',
      customerAction:
        'Turn on diagnostic settings (AuditEvent) on every vault in scope, send them to Log Analytics, keep them as long as your retention policy for HIPAA asks, six years for its documentation, alert on unusual access, and connect them to the SIEM.',
    },
    {
      id: '164.312(c)(1)',
      title: 'Integrity',
      rules: ['CIS-8.5', 'CIS-8.6', 'K005', 'C005', 'P007'],
      coverage: 'supporting',
      published: ['164.312(c)(1)'],
      relation: 'ok',
      note: 'expiry is weak evidence of integrity',
      customerAction: null,
    },
    {
      id: '164.312(d)',
      title: 'Person or Entity Authentication',
      rules: [],
      coverage: 'customer',
      published: ['164.312(d)'],
      relation: 'ok',
      note: '',
      customerAction:
        'Require multi-factor authentication by Conditional Access for everybody with a role on a vault, make elevated roles time-bound by Privileged Identity Management, and write down the break-glass procedure.',
    },
    {
      id: '164.312(e)(1)',
      title: 'Transmission Security',
      rules: ['K006', 'C006'],
      coverage: 'supporting',
      published: ['164.312(e)(1)'],
      relation: 'ok',
      note: '',
      customerAction: null,
    },
  ],
} as const satisfies Framework
