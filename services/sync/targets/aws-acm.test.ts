import { DeleteCertificateCommand, ImportCertificateCommand } from '@aws-sdk/client-acm'
import { AWS_ACM, awsAcmTarget } from './aws-acm.ts'
import { awsAccount, awsPerson, foreignCloud } from './aws.fixture.ts'
import { issue } from './certificate.fixture.ts'
import { targetContract } from './target.contract.ts'

targetContract('AWS Certificate Manager', AWS_ACM, async () => {
  const { twin, world } = await foreignCloud()
  for (const limit of ['acm.import', 'acm.read', 'acm.list', 'acm.tag'] as const)
    twin.throttle.set(limit, { capacity: 1000, perSecond: 1000 })
  const { account, certificates } = awsPerson(twin)
  const held = (name: string) => account.certificates.find(({ tags }) => tags['Name'] === name)
  const arn = (name: string) =>
    `arn:aws:acm:eu-central-1:${account.id}:certificate/${held(name)?.id ?? 'none'}`
  const issued = new Map<string, ReturnType<typeof issue>>()
  const of = (topic: string) => {
    const one = issued.get(topic) ?? issue(`${topic}.example`)
    issued.set(topic, one)
    return one
  }
  const material = (pem: string) => {
    const one = [...issued.values()].find((made) => made.pem === pem) ?? issue('nobody.example')
    return {
      Certificate: Buffer.from(one.certificate),
      CertificateChain: Buffer.from(one.chain),
      PrivateKey: Buffer.from(one.privateKey),
    }
  }
  let names = 0
  return {
    target: awsAcmTarget(awsAccount, world),
    plant: async (name, value) =>
      void (await certificates.send(
        new ImportCertificateCommand({ ...material(value), Tags: [{ Key: 'Name', Value: name }] }),
      )),
    tamper: async (name, value) =>
      void (await certificates.send(
        new ImportCertificateCommand({ ...material(value), CertificateArn: arn(name) }),
      )),
    drop: async (name) =>
      void (await certificates.send(new DeleteCertificateCommand({ CertificateArn: arn(name) }))),
    served: async (name) => {
      const one = held(name)
      return one ? one.body + (one.chain ?? '') + one.privateKey : null
    },
    pass: () => twin.clock.advance(1000),
    name: (topic) => `contract/${topic}-${++names}`,
    value: (topic) => of(topic).pem,
    close: () => twin.stop(),
  }
})
