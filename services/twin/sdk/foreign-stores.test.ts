import { createPublicKey, generateKeyPairSync, sign, X509Certificate } from 'node:crypto'
import {
  AddTagsToCertificateCommand,
  DescribeCertificateCommand,
  ImportCertificateCommand,
  ListCertificatesCommand,
} from '@aws-sdk/client-acm'
import {
  AddTagsToResourceCommand,
  DescribeParametersCommand,
  GetParameterCommand,
  LabelParameterVersionCommand,
  PutParameterCommand,
} from '@aws-sdk/client-ssm'
import { CertificateManagerClient } from '@google-cloud/certificate-manager'
import { GoogleAuth } from 'google-auth-library'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { gcpProjectId } from '../estate/elsewhere.ts'
import { type RunningCloud, seededEstate, startCloud } from '../index.ts'
import { awsAdministrator } from './routed-aws.ts'
import { federated } from './routed-gcp.ts'

let cloud: RunningCloud
beforeAll(async () => {
  cloud = await startCloud({ estate: seededEstate(Date.now()) })
  for (const limit of [
    'ssm.get',
    'ssm.put',
    'ssm.tag',
    'acm.import',
    'acm.read',
    'acm.list',
    'acm.tag',
  ] as const)
    cloud.throttle.set(limit, { capacity: 1000, perSecond: 1000 })
})
afterAll(() => cloud.stop())

/* A self-signed certificate with a P-256 key (RFC 5280), of a few lines. */
const node = (tag: number, ...parts: Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts)
  const length = body.length < 0x80 ? [body.length] : [0x82, body.length >> 8, body.length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}
const oid = (hex: string) => node(0x06, Buffer.from(hex, 'hex'))
function selfSigned(host: string, days = 30): { certificate: string; privateKey: string } {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ecdsa = node(0x30, oid('2a8648ce3d040302'))
  const name = node(0x30, node(0x31, node(0x30, oid('550403'), node(0x0c, Buffer.from(host)))))
  const time = (ms: number) =>
    node(
      0x17,
      Buffer.from(
        new Date(ms)
          .toISOString()
          .replaceAll(/[-:T]|\.\d+/g, '')
          .slice(2),
      ),
    )
  const span = node(0x30, time(Date.now() - 40 * 86_400_000), time(Date.now() + days * 86_400_000))
  const key = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  const serial = node(0x02, Buffer.from([1, ...Buffer.from(host.slice(0, 8))]))
  const body = node(0x30, node(0xa0, node(0x02, Buffer.from([2]))), serial, ecdsa, name, span, name, key)
  const der = node(0x30, body, ecdsa, node(0x03, Buffer.from([0]), sign('sha256', body, privateKey)))
  return {
    certificate: new X509Certificate(der).toString(),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  }
}

describe('Parameter Store', () => {
  test('versions count up, a label moves with whoever gives it away, a secure value is shown only decrypted', async () => {
    const { parameters } = awsAdministrator(cloud)
    const Name = '/shop/db'
    const put = (Value: string, Overwrite: boolean) =>
      parameters.send(new PutParameterCommand({ Name, Value, Type: 'SecureString', Overwrite }))
    expect(await put('one', false)).toMatchObject({ Version: 1, Tier: 'Standard' })
    await expect(put('two', false)).rejects.toMatchObject({ name: 'ParameterAlreadyExists' })
    expect(await put('two', true)).toMatchObject({ Version: 2 })
    const read = async (name: string, WithDecryption: boolean) =>
      (await parameters.send(new GetParameterCommand({ Name: name, WithDecryption }))).Parameter?.Value
    expect(await read(Name, false)).not.toContain('two')
    expect(await read(Name, true)).toBe('two')
    const label = (ParameterVersion: number) =>
      parameters.send(
        new LabelParameterVersionCommand({ Name, ParameterVersion, Labels: ['live', '9lives'] }),
      )
    expect((await label(1)).InvalidLabels).toEqual(['9lives'])
    expect(await read(`${Name}:live`, true)).toBe('one')
    await label(2)
    expect(await read(`${Name}:live`, true)).toBe('two')
  })

  test.each([
    [
      'a standard value above 4,096 characters',
      { Name: '/a', Value: 'x'.repeat(4_097) },
      /advanced-parameter tier/,
    ],
    [
      'an advanced one above 8,192',
      { Name: '/a', Value: 'x'.repeat(8_193), Tier: 'Advanced' as const },
      /8192/,
    ],
    ['a name of AWS’s own', { Name: '/aws/x', Value: 'x' }, /prefixed/],
    ['a path that begins with no slash', { Name: 'a/b', Value: 'x' }, /fully qualified/],
    [
      'tags with an overwrite',
      { Name: '/a', Value: 'x', Overwrite: true, Tags: [{ Key: 'a', Value: 'b' }] },
      /together/,
    ],
  ])('%s is refused', async (_, input, says) => {
    const { parameters } = awsAdministrator(cloud)
    await expect(
      parameters.send(new PutParameterCommand({ Type: 'SecureString', ...input })),
    ).rejects.toThrow(says)
  })

  test('what bears a tag is found by it, no value in the listing', async () => {
    const { parameters } = awsAdministrator(cloud)
    await parameters.send(
      new AddTagsToResourceCommand({
        ResourceType: 'Parameter',
        ResourceId: '/contoso/shared/log-level',
        Tags: [{ Key: 'found', Value: 'yes' }],
      }),
    )
    const answer = await parameters.send(
      new DescribeParametersCommand({ ParameterFilters: [{ Key: 'tag:found', Values: ['yes'] }] }),
    )
    expect(answer.Parameters?.map(({ Name }) => Name)).toEqual(['/contoso/shared/log-level'])
    expect(JSON.stringify(answer)).not.toContain('canary-')
  })
})

describe('Certificate Manager of AWS', () => {
  const bytes = (pem: string) => Buffer.from(pem)

  test('a certificate imported again keeps its ARN; unasked, the listing leaves elliptic curves out', async () => {
    const { certificates } = awsAdministrator(cloud)
    const first = selfSigned('one.example')
    const { CertificateArn = '' } = await certificates.send(
      new ImportCertificateCommand({
        Certificate: bytes(first.certificate),
        PrivateKey: bytes(first.privateKey),
      }),
    )
    const next = selfSigned('two.example')
    const material = { Certificate: bytes(next.certificate), PrivateKey: bytes(next.privateKey) }
    expect(
      (await certificates.send(new ImportCertificateCommand({ ...material, CertificateArn }))).CertificateArn,
    ).toBe(CertificateArn)
    const { Certificate } = await certificates.send(new DescribeCertificateCommand({ CertificateArn }))
    expect(Certificate).toMatchObject({
      DomainName: 'two.example',
      Type: 'IMPORTED',
      KeyAlgorithm: 'EC_prime256v1',
    })
    const list = async (keyTypes?: 'EC_prime256v1'[]) =>
      (await certificates.send(new ListCertificatesCommand(keyTypes ? { Includes: { keyTypes } } : {})))
        .CertificateSummaryList
    expect(await list()).toEqual([])
    expect(await list(['EC_prime256v1'])).toHaveLength(1)
    await expect(
      certificates.send(
        new ImportCertificateCommand({ ...material, CertificateArn, Tags: [{ Key: 'a', Value: 'b' }] }),
      ),
    ).rejects.toMatchObject({ name: 'ValidationException' })
    await expect(
      certificates.send(
        new AddTagsToCertificateCommand({ CertificateArn, Tags: [{ Key: 'aws:a', Value: 'b' }] }),
      ),
    ).rejects.toMatchObject({ name: 'InvalidTagException' })
  })

  test.each([
    [
      'another key',
      () => ({ ...selfSigned('a.example'), privateKey: selfSigned('b.example').privateKey }),
      /do not match/,
    ],
    ['a certificate that ended', () => selfSigned('old.example', -1), /validity period/],
    ['no certificate', () => ({ ...selfSigned('a.example'), certificate: 'nothing' }), /certificate field/],
  ])('%s is refused', async (_, make, says) => {
    const { certificates } = awsAdministrator(cloud)
    const { certificate, privateKey } = make()
    await expect(
      certificates.send(
        new ImportCertificateCommand({ Certificate: bytes(certificate), PrivateKey: bytes(privateKey) }),
      ),
    ).rejects.toThrow(says)
  })

  test('a chain that did not issue it is refused', async () => {
    const { certificates } = awsAdministrator(cloud)
    const { certificate, privateKey } = selfSigned('a.example')
    const other = selfSigned('b.example')
    await expect(
      certificates.send(
        new ImportCertificateCommand({
          Certificate: bytes(certificate),
          PrivateKey: bytes(privateKey),
          CertificateChain: bytes(other.certificate),
        }),
      ),
    ).rejects.toThrow(/certificate chain/)
  })
})

describe('Certificate Manager of Google', () => {
  const parent = `projects/${gcpProjectId}/locations/global`
  const client = () =>
    new CertificateManagerClient({
      fallback: true,
      // Its copy of the authentication library is older and of another type; what it calls of it is the same.
      auth: new GoogleAuth({ authClient: federated(cloud) }) as never,
    })

  test('a change is an operation that ends; the key never comes back', async () => {
    cloud.settings.certificateIssuanceMs = 200
    const { certificate, privateKey } = selfSigned('shop.example')
    const [operation] = await client().createCertificate({
      parent,
      certificateId: 'shop',
      certificate: {
        selfManaged: { pemCertificate: certificate, pemPrivateKey: privateKey },
        labels: { team: 'shop' },
      },
    })
    const [made] = await operation.promise()
    expect(made).toMatchObject({ name: `${parent}/certificates/shop`, labels: { team: 'shop' } })
    cloud.settings.certificateIssuanceMs = 0
    const [listed] = await client().listCertificates({ parent }, { autoPaginate: false })
    expect(listed).toHaveLength(1)
    expect(JSON.stringify(listed)).not.toContain('PRIVATE KEY')
  })

  test.each([
    ['a name in capitals', 'Shop', () => selfSigned('a.example'), 3],
    [
      'another key',
      'other',
      () => ({ ...selfSigned('a.example'), privateKey: selfSigned('b.example').privateKey }),
      3,
    ],
    ['a name that is taken', 'shop', () => selfSigned('a.example'), 6],
  ])('%s is refused', async (_, certificateId, make, code) => {
    const { certificate, privateKey } = make()
    const http = { 3: 400, 6: 409 }[code]
    await expect(
      client().createCertificate({
        parent,
        certificateId,
        certificate: { selfManaged: { pemCertificate: certificate, pemPrivateKey: privateKey } },
      }),
      // This SDK hands on what the transport said.
    ).rejects.toMatchObject({ code: expect.toSatisfy((given: unknown) => given === code || given === http) })
  })
})
