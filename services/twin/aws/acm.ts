import type { X509Certificate } from 'node:crypto'
import * as z from 'zod'
import { listingLag } from '../listing-lag.ts'
import type { Cloud } from '../operation.ts'
import { certificatesOf, chainFault, keyAlgorithm, privateKeyOf } from '../pem.ts'
import { type AwsCertificate, certificateArn } from './account.ts'
import type { AwsCredentials } from './caller.ts'
import {
  action,
  asTagList,
  asTags,
  type AwsRequest,
  awsRefusal,
  change,
  jsonService,
  offsetOf,
  pageToken,
  requestTags,
  resourceTags,
  tagList,
} from './json-service.ts'

const mostCertificates = 2_500
/** What an unfiltered list shows: certificates with other keys are left out unless they are asked for. */
const listedByDefault = ['RSA_1024', 'RSA_2048']
const takes = [
  'RSA_1024',
  'RSA_2048',
  'RSA_3072',
  'RSA_4096',
  'EC_prime256v1',
  'EC_secp384r1',
  'EC_secp521r1',
]

const invalid = (text: string) => awsRefusal('ValidationException', text)
const arn = z.string().min(20).max(2048)
const pem = z.base64().transform((text) => Buffer.from(text, 'base64').toString())
const seconds = (text: string) => Date.parse(text) / 1000

/**
 * Certificate Manager, its imported certificates: chain and key are checked, a renewed one keeps its ARN.
 * @see https://docs.aws.amazon.com/acm/latest/APIReference/API_ImportCertificate.html
 */
export function acm(cloud: Cloud, credentials: AwsCredentials) {
  const lag = listingLag<AwsCertificate, object>(
    () => cloud.clock.now(),
    () => cloud.settings.listLagMs,
  )
  const leafOf = ({ body }: AwsCertificate): X509Certificate => {
    const [leaf] = certificatesOf(body) ?? []
    if (leaf === undefined) throw new Error('A certificate of the estate cannot be read.')
    return leaf
  }
  const arnOf = (request: AwsRequest, certificate: AwsCertificate) =>
    certificateArn(request.account.id, certificate)

  function find(
    request: AwsRequest,
    name: string,
    given: string,
    context: Record<string, string | string[]> = {},
  ) {
    const certificate = request.account.certificates.find(
      (one) => one.region === request.region && arnOf(request, one) === given,
    )
    request.allow(`acm:${name}`, given, {
      ...(certificate === undefined ? {} : resourceTags('acm', certificate.tags)),
      ...context,
    })
    if (certificate === undefined)
      throw awsRefusal('ResourceNotFoundException', `Could not find certificate ${given}.`)
    return certificate
  }
  const altNames = (leaf: X509Certificate) =>
    (leaf.subjectAltName ?? '').split(', ').flatMap((one) => (one.startsWith('DNS:') ? one.slice(4) : []))
  const domainOf = (leaf: X509Certificate) => /CN=([^\n]+)/.exec(leaf.subject)?.[1] ?? altNames(leaf)[0] ?? ''
  const summary = (request: AwsRequest, certificate: AwsCertificate) => {
    const leaf = leafOf(certificate)
    return {
      CertificateArn: arnOf(request, certificate),
      DomainName: domainOf(leaf),
      SubjectAlternativeNameSummaries: altNames(leaf),
      HasAdditionalSubjectAlternativeNames: false,
      Status: Date.parse(leaf.validTo) <= cloud.clock.now() ? 'EXPIRED' : 'ISSUED',
      Type: 'IMPORTED',
      KeyAlgorithm: keyAlgorithm(leaf),
      InUse: false,
      RenewalEligibility: 'INELIGIBLE',
      NotBefore: seconds(leaf.validFrom),
      NotAfter: seconds(leaf.validTo),
      CreatedAt: certificate.created,
      ImportedAt: certificate.imported,
    }
  }
  function checkTags(tags: Record<string, string>): void {
    if (Object.keys(tags).length > 50)
      throw awsRefusal('TooManyTagsException', 'A certificate can have at most 50 tags.')
    for (const [key, text] of Object.entries(tags))
      if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u.test(key + text) || /^aws:/i.test(key))
        throw awsRefusal('InvalidTagException', `The tag ${key} is not valid.`)
  }

  return jsonService(cloud, credentials, {
    name: 'acm',
    target: 'CertificateManager',
    invalid: 'ValidationException',
    actions: {
      ImportCertificate: change(
        z.strictObject({
          CertificateArn: arn.optional(),
          Certificate: pem,
          PrivateKey: pem,
          CertificateChain: pem.optional(),
          Tags: tagList.optional(),
        }),
        (input, request) => {
          const tags = asTags(input.Tags ?? [])
          const anywhere = `arn:aws:acm:${request.region}:${request.account.id}:certificate/*`
          const known =
            input.CertificateArn === undefined
              ? undefined
              : find(request, 'ImportCertificate', input.CertificateArn)
          if (known === undefined) request.allow('acm:ImportCertificate', anywhere, requestTags(tags))
          if (input.Tags !== undefined) request.allow('acm:AddTagsToCertificate', anywhere, requestTags(tags))
          request.throttle('acm.import')
          if (known !== undefined && input.Tags !== undefined)
            throw invalid('Tags cannot be specified when a certificate is imported again.')
          checkTags(tags)
          const [leaf, ...more] = certificatesOf(input.Certificate) ?? []
          if (leaf === undefined || more.length > 0)
            throw invalid(
              'The certificate field contains more than one certificate, or none that can be read. You can specify only one certificate in this field.',
            )
          const key = privateKeyOf(input.PrivateKey)
          if (key === undefined)
            throw invalid('The private key is not supported. It must be unencrypted and in PEM format.')
          const chain = input.CertificateChain === undefined ? [] : certificatesOf(input.CertificateChain)
          if (chain === undefined) throw invalid('The certificate chain is not in a valid PEM format.')
          const algorithm = keyAlgorithm(leaf)
          if (!takes.includes(algorithm))
            throw invalid(`The key algorithm ${algorithm} of the certificate is not supported.`)
          const fault = chainFault(leaf, chain, key, cloud.clock.now())
          if (fault === 'key') throw invalid('The certificate and the private key do not match.')
          if (fault === 'chain')
            throw invalid('Could not validate the certificate with the certificate chain.')
          if (fault === 'expired')
            throw invalid('The certificate is not valid: it is before or after its validity period.')
          if (known === undefined) {
            if (request.account.certificates.length >= mostCertificates)
              throw awsRefusal(
                'LimitExceededException',
                `Error: you have reached your limit of ${mostCertificates} certificates.`,
              )
            const made: AwsCertificate = {
              region: request.region,
              id: cloud.randomHex(16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
              created: request.now,
              imported: request.now,
              tags,
              body: input.Certificate,
              chain: input.CertificateChain ?? null,
              privateKey: input.PrivateKey,
            }
            lag.changing(made, null)
            request.account.certificates.push(made)
            return { CertificateArn: arnOf(request, made) }
          }
          lag.changing(known, summary(request, known))
          known.imported = request.now
          known.body = input.Certificate
          known.chain = input.CertificateChain ?? null
          known.privateKey = input.PrivateKey
          return { CertificateArn: arnOf(request, known) }
        },
      ),
      DescribeCertificate: action(z.strictObject({ CertificateArn: arn }), (input, request) => {
        const certificate = find(request, 'DescribeCertificate', input.CertificateArn)
        request.throttle('acm.read')
        const leaf = leafOf(certificate)
        const {
          SubjectAlternativeNameSummaries,
          HasAdditionalSubjectAlternativeNames: _,
          InUse: __,
          ...rest
        } = summary(request, certificate)
        return {
          Certificate: {
            ...rest,
            SubjectAlternativeNames: SubjectAlternativeNameSummaries,
            Serial: leaf.serialNumber.toLowerCase().replaceAll(/(..)(?=.)/g, '$1:'),
            Subject: leaf.subject.replaceAll('\n', ','),
            Issuer: /(?:O|CN)=([^\n]+)/.exec(leaf.issuer)?.[1] ?? '',
            InUseBy: [],
          },
        }
      }),
      ListCertificates: action(
        z.strictObject({
          MaxItems: z.int().min(1).max(1000).default(1000),
          NextToken: z.string().optional(),
          CertificateStatuses: z.array(z.string()).optional(),
          Includes: z.strictObject({ keyTypes: z.array(z.string()).optional() }).optional(),
        }),
        (input, request) => {
          request.allow('acm:ListCertificates', '*')
          request.throttle('acm.list')
          const offset = offsetOf(input.NextToken)
          if (offset === undefined) throw invalid('The NextToken is not valid.')
          const keyTypes = input.Includes?.keyTypes ?? listedByDefault
          const entries = lag
            .visible(request.account.certificates)
            .filter((one) => one.region === request.region && keyTypes.includes(keyAlgorithm(leafOf(one))))
            .sort((a, b) => a.created - b.created)
          const end = offset + input.MaxItems
          return {
            CertificateSummaryList: entries
              .slice(offset, end)
              .map((one) => lag.shown(one, () => summary(request, one))),
            ...(end < entries.length ? { NextToken: pageToken(end) } : {}),
          }
        },
      ),
      ListTagsForCertificate: action(z.strictObject({ CertificateArn: arn }), (input, request) => {
        const { tags } = find(request, 'ListTagsForCertificate', input.CertificateArn)
        request.throttle('acm.read')
        return { Tags: asTagList(tags) }
      }),
      AddTagsToCertificate: change(
        z.strictObject({ CertificateArn: arn, Tags: tagList }),
        (input, request) => {
          const tags = asTags(input.Tags)
          const certificate = find(request, 'AddTagsToCertificate', input.CertificateArn, requestTags(tags))
          request.throttle('acm.tag')
          checkTags({ ...certificate.tags, ...tags })
          certificate.tags = { ...certificate.tags, ...tags }
          return {}
        },
      ),
      RemoveTagsFromCertificate: change(
        z.strictObject({
          CertificateArn: arn,
          Tags: z.array(z.strictObject({ Key: z.string(), Value: z.string().optional() })),
        }),
        (input, request) => {
          const certificate = find(request, 'RemoveTagsFromCertificate', input.CertificateArn, {
            'aws:TagKeys': input.Tags.map(({ Key }) => Key),
          })
          request.throttle('acm.tag')
          certificate.tags = Object.fromEntries(
            Object.entries(certificate.tags).filter(
              ([key, text]) =>
                !input.Tags.some(({ Key, Value }) => Key === key && (Value === undefined || Value === text)),
            ),
          )
          return {}
        },
      ),
      DeleteCertificate: change(z.strictObject({ CertificateArn: arn }), (input, request) => {
        const certificate = find(request, 'DeleteCertificate', input.CertificateArn)
        request.throttle('acm.tag')
        request.account.certificates.splice(request.account.certificates.indexOf(certificate), 1)
        return {}
      }),
    },
  })
}
