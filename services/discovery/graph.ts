import type { AppCredential, Application } from '@attestry/contracts'
import { type AzureAccess, azureFailure } from '@attestry/kit/azure'
import {
  bearerTokenAuthenticationPolicy,
  createPipelineFromOptions,
  createPipelineRequest,
  RestError,
} from '@azure/core-rest-pipeline'
import type {
  Application as GraphApplication,
  KeyCredential,
  PasswordCredential,
} from '@microsoft/microsoft-graph-types'
import * as z from 'zod'
import type { Listing, Opaque } from './cloud.ts'
import type { InFlight } from './in-flight.ts'

/*
 * Microsoft Graph, as much of it as discovery needs. The official client is stale and the new one large; one request
 * on the SDKs' own pipeline has the same credential, retries and transport as every other client here.
 */

const GRAPH = 'https://graph.microsoft.com'
const SELECT = 'id,appId,displayName,createdDateTime,passwordCredentials,keyCredentials'
/** The largest page that Graph gives. */
const TOP = 999
/** A million applications; beyond it the listing counts as cut off. */
const MOST_PAGES = 1000

/** Ours, or null: dates come with and without fractions, and some credentials have none. */
const When = z
  .string()
  .nullish()
  .transform((text, context) => {
    if (text === null || text === undefined) return null
    const ms = Date.parse(text)
    if (!Number.isNaN(ms)) return new Date(ms).toISOString()
    context.addIssue({ code: 'custom', message: 'a date that is none' })
    return z.NEVER
  })

/** The fields that we ask for, in the documented names (checked against the published types). */
type Fields<T> = Partial<Record<keyof T, z.ZodType>>
const Credential = z.object({
  keyId: z.string(),
  displayName: z.string().nullish(),
  startDateTime: When,
  endDateTime: When,
} satisfies Fields<PasswordCredential> & Fields<KeyCredential>)

const Page = z.object({
  value: z.array(
    z.object({
      id: z.string(),
      appId: z.string(),
      displayName: z.string().nullish(),
      createdDateTime: When,
      passwordCredentials: z.array(Credential).nullish(),
      keyCredentials: z.array(Credential).nullish(),
    } satisfies Fields<GraphApplication>),
  ),
  '@odata.nextLink': z.string().optional(),
})
type Listed = z.infer<typeof Page>['value'][number]

/** An application registration as it is recorded; credentials in the order of their ids. */
function applicationOf(listed: Listed, opaque: Opaque): Application {
  const credential =
    (kind: AppCredential['kind']) =>
    (one: z.infer<typeof Credential>): AppCredential => ({
      asset: opaque(`app-${kind}`, `${listed.id}/${one.keyId}`),
      keyId: one.keyId,
      kind,
      name: one.displayName ?? null,
      startsAt: one.startDateTime,
      endsAt: one.endDateTime,
    })
  return {
    asset: opaque('app', listed.id),
    appId: listed.appId,
    objectId: listed.id,
    name: listed.displayName ?? listed.appId,
    created: listed.createdDateTime,
    credentials: [
      ...(listed.passwordCredentials ?? []).map(credential('secret')),
      ...(listed.keyCredentials ?? []).map(credential('certificate')),
    ].toSorted((a, b) => (a.asset < b.asset ? -1 : 1)),
  }
}

/**
 * Lists application registrations with their credentials' ids and dates (Graph never shows their values).
 * Needs `Application.Read.All`.
 * @see https://learn.microsoft.com/graph/api/application-list
 */
export function applicationReader(access: AzureAccess, slots: InFlight, opaque: Opaque) {
  const { credential } = access
  const { httpClient, retryOptions, additionalPolicies } = access.clientOptions()
  const pipeline = createPipelineFromOptions({ retryOptions })
  pipeline.addPolicy(bearerTokenAuthenticationPolicy({ credential, scopes: `${GRAPH}/.default` }))
  for (const { policy } of additionalPolicies) pipeline.addPolicy(policy, { afterPhase: 'Sign' })

  const page = async (url: string, abortSignal: AbortSignal) => {
    const request = createPipelineRequest({ url, abortSignal })
    const response = await pipeline.sendRequest(httpClient, request)
    const text = response.bodyAsText ?? ''
    if (response.status !== 200)
      throw new RestError(`Graph answered ${response.status}`, {
        statusCode: response.status,
        request,
        response,
      })
    return Page.parse(JSON.parse(text))
  }

  return async (signal: AbortSignal): Promise<Listing<Application>> => {
    const items: Application[] = []
    let url: string | undefined = `${GRAPH}/v1.0/applications?$select=${SELECT}&$top=${TOP}`
    for (let pages = 0; url !== undefined; pages++) {
      if (pages >= MOST_PAGES) return { items, complete: false }
      const at: string = url
      // A link that leads elsewhere would carry our token there.
      if (new URL(at).origin !== GRAPH)
        throw azureFailure(new Error('Graph sent a next link to another host'))
      const answer = await slots(() => page(at, signal))
      items.push(...answer.value.map((one) => applicationOf(one, opaque)))
      url = answer['@odata.nextLink']
    }
    return { items, complete: true }
  }
}
