import { cisAzure2 } from './cis-azure-2.ts'
import { soc2 } from './soc2-2017.ts'
import { iso27001 } from './iso27001-2022.ts'
import { nist80053 } from './nist-800-53-r5.ts'
import { hipaa } from './hipaa-164-312.ts'
import { pciDss4 } from './pci-dss-4.ts'
import { asb3 } from './asb-3.ts'
import type { Control, Framework } from './framework.ts'

/** The frameworks, in the order in which they are shown. */
export const frameworks: readonly Framework[] = [cisAzure2, soc2, iso27001, nist80053, hipaa, pciDss4, asb3]

/** A control with the framework that it belongs to. */
export interface Named {
  readonly framework: Framework
  readonly control: Control
}

const byRule = new Map<string, Named[]>()
for (const framework of frameworks)
  for (const control of framework.controls)
    for (const rule of control.rules) byRule.set(rule, [...(byRule.get(rule) ?? []), { framework, control }])

/** The controls that name a rule. */
export const controlsOf = (rule: string): readonly Named[] => byRule.get(rule) ?? []

/** A rule is `framework` exactly when some control names it; never stored anywhere. */
export const classOf = (rule: string): 'framework' | 'operational' =>
  byRule.has(rule) ? 'framework' : 'operational'
