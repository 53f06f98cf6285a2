import type { Finding } from '@attestry/contracts/http'

type Subject = Pick<Finding, 'subject' | 'subjectKind' | 'subjectName' | 'holderName'>

/** Whether something else holds the subject: a vault or an application is held by nothing. */
const isHeld = (finding: Subject): boolean =>
  finding.holderName !== '' && finding.holderName !== finding.subjectName

/** `ldap-bind in kv-shared`, or only the name of what nothing holds. */
export const held = (finding: Subject): string =>
  isHeld(finding) ? `${finding.subjectName} in ${finding.holderName}` : finding.subjectName

/** `secret in kv-shared`, `vault`. */
export const kindHeld = (finding: Subject): string =>
  `${finding.subjectKind.replaceAll('-', ' ')}${isHeld(finding) ? ` in ${finding.holderName}` : ''}`

/** Where the subject of a finding is looked at. */
export function subjectAddress(finding: Subject): string {
  if (finding.subjectKind === 'vault') return `/vaults?vault=${finding.subject}`
  if (['secret', 'key', 'certificate', 'app-secret', 'app-certificate'].includes(finding.subjectKind))
    return `/inventory?asset=${finding.subject}`
  return `/findings?subject=${finding.subject}`
}
