import { issue } from './certificate.fixture.ts'
import { foreignCloud } from './aws.fixture.ts'
import { GCP_CERTIFICATE_MANAGER, gcpCertificateManagerTarget } from './gcp-certificate-manager.ts'
import { gcpAccount, gcpProject } from './gcp.fixture.ts'
import { targetContract } from './target.contract.ts'

targetContract('Google Certificate Manager', GCP_CERTIFICATE_MANAGER, async () => {
  const { twin, world } = await foreignCloud()
  const project = gcpProject(twin)
  const held = (id: string) => project.certificates.find((one) => one.id === id.toLowerCase())
  const issued = new Map<string, ReturnType<typeof issue>>()
  const of = (topic: string) => {
    const one = issued.get(topic) ?? issue(`${topic}.example`)
    issued.set(topic, one)
    return one
  }
  const material = (pem: string) => {
    const one = [...issued.values()].find((made) => made.pem === pem) ?? issue('nobody.example')
    return { certificate: one.certificate + one.chain, privateKey: one.privateKey }
  }
  let names = 0
  return {
    target: gcpCertificateManagerTarget(gcpAccount, world),
    async plant(id, value) {
      const now = twin.clock.now()
      project.certificates.push({
        id,
        location: 'global',
        created: now,
        updated: now,
        description: '',
        labels: {},
        scope: 'DEFAULT',
        ...material(value),
      })
    },
    async tamper(id, value) {
      const one = held(id)
      if (one) Object.assign(one, material(value), { updated: twin.clock.now() })
    },
    async drop(id) {
      const one = held(id)
      if (one) project.certificates.splice(project.certificates.indexOf(one), 1)
    },
    served: async (id) => {
      const one = held(id)
      return one ? one.certificate + one.privateKey : null
    },
    pass: () => twin.clock.advance(1000),
    name: (topic) => `contract-${topic.toLowerCase()}-${++names}`,
    value: (topic) => of(topic).pem,
    close: () => twin.stop(),
  }
})
